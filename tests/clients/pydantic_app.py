"""pydantic-ai over the Responses API: a typed result, a tool, a stream, a second turn.

Run by `tests/journeys/test_clients.py`, with an address and a key in the environment.
"""

import asyncio
import json

from pydantic import BaseModel
from pydantic_ai import Agent


class City(BaseModel):
    name: str
    people: int


def get_population(city: str) -> int:
    """How many people live in a city."""
    return len(city)


async def main() -> None:
    model = "openai-responses:gpt-5-mini"
    agent = Agent(model, tools=[get_population])
    called = await agent.run("Ask get_population.")
    async with agent.run_stream(
        "Say more. [sim: output=13]", message_history=called.all_messages()
    ) as stream:
        pieces = [piece async for piece in stream.stream_text(delta=True, debounce_by=None)]
    typed = await Agent(model, output_type=City).run("Which city?")
    seen = {
        "called": called.output,
        "parts": [[part.part_kind for part in message.parts] for message in called.all_messages()],
        "streamed": "".join(pieces),
        "pieces": len(pieces),
        "typed": typed.output.model_dump(),
        "tokens": [called.usage.requests, called.usage.output_tokens],
    }
    print(json.dumps(seen))


asyncio.run(main())
