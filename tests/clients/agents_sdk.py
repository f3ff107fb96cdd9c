"""The Agents SDK as its users write it: a tool, a handoff, a stream, a session. Prints what it saw.

Run by `tests/journeys/test_clients.py`, with an address and a key in the environment.
"""

import asyncio
import json

from agents import Agent, Runner, SQLiteSession, function_tool


def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"It is sunny in {city}."


async def main() -> None:
    billing = Agent(name="Billing", model="gpt-5-mini", instructions="You answer about money.")
    triage = Agent(
        name="Triage",
        model="gpt-5-mini",
        instructions="You send each question where it belongs.",
        tools=[function_tool(get_weather)],
        handoffs=[billing],
    )
    session = SQLiteSession("journey")
    called = await Runner.run(triage, "Ask get_weather about Berlin.", session=session)
    streamed = Runner.run_streamed(triage, "Please transfer_to_billing.", session=session)
    events = [
        event.data.type if event.type == "raw_response_event" else event.type
        async for event in streamed.stream_events()
    ]
    again = await Runner.run(streamed.last_agent, "And now? [sim: output=5]", session=session)
    usage = again.context_wrapper.usage
    seen = {
        "items": [item.type for item in called.new_items],
        "outputs": [called.final_output, streamed.final_output, again.final_output],
        "agents": [run.last_agent.name for run in (called, streamed, again)],
        "events": events,
        "requests": usage.requests,
        "output_tokens": usage.output_tokens,
        "remembered": [item.get("type", "message") for item in await session.get_items()],
    }
    print(json.dumps(seen))


asyncio.run(main())
