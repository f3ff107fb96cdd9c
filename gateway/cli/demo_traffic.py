"""What the demo's three tenants ask, through the real `openai` SDK. Not here: what it costs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openai import OpenAI

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request of the demo: who asks, what for, and how."""

    tenant: str
    title: str
    ask: Callable[["OpenAI"], str]


def _text(client: "OpenAI") -> str:
    with client.responses.stream(
        model="gpt-6-sol", input="Explain in two sentences why the sky is blue."
    ) as stream:
        stream.until_done()
        return stream.get_final_response().output_text


def _reasoning(client: "OpenAI") -> str:
    response = client.responses.create(
        model="gpt-5.6-sol",
        reasoning={"effort": "high"},
        input="Is 2**61 - 1 a prime? [sim: output=40]",
    )
    return response.output_text


def _function_call(client: "OpenAI") -> str:
    response = client.responses.create(
        model="gpt-5-mini",
        input="What is the weather in Oslo? [sim: kind=function_call]",
        tools=[WEATHER],  # type: ignore[list-item]  # a plain dict, as the SDK's own examples write it
    )
    return next(item.arguments for item in response.output if item.type == "function_call")


def _web_search(client: "OpenAI") -> str:
    response = client.responses.create(
        model="gpt-6-luna",
        input="What happened in astronomy this week? [sim: kind=web_search; searches=2]",
        tools=[{"type": "web_search"}],
        max_tool_calls=2,  # a hard budget asks for a bound
    )
    return response.output_text


def _cut_short(client: "OpenAI") -> str:
    response = client.responses.create(
        model="gpt-4.1", input="Tell me a long story. [sim: output=500]", max_output_tokens=32
    )
    assert response.incomplete_details is not None
    return f"{response.status}: {response.incomplete_details.reason}"


def _priority(client: "OpenAI") -> str:
    response = client.responses.create(
        model="gpt-5.4", service_tier="priority", input="Quick: what is the capital of Mongolia?"
    )
    return f"served at tier {response.service_tier}"


def _hang_up(client: "OpenAI") -> str:
    seen = 0
    with client.responses.create(
        model="gpt-6.1-sol", input="Count to a thousand. [sim: output=80; slow=10]", stream=True
    ) as events:
        for _ in events:
            seen += 1
            if seen == 5:  # noqa: PLR2004 - early, and after the first words
                break
    return f"hung up after {seen} events"


REQUESTS = (
    Request(tenant="acme/search", title="text, streamed", ask=_text),
    Request(tenant="acme/search", title="reasoning", ask=_reasoning),
    Request(tenant="acme/support", title="function call", ask=_function_call),
    Request(tenant="acme/support", title="web search", ask=_web_search),
    Request(tenant="acme/support", title="priority tier", ask=_priority),
    Request(tenant="globex", title="cut by max_output_tokens", ask=_cut_short),
    Request(tenant="globex", title="client hangs up", ask=_hang_up),
)
