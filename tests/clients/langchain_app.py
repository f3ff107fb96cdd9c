"""LangChain's ChatOpenAI over the Responses API: whole, streamed, parsed, with a tool.

Run by `tests/journeys/test_clients.py`, with an address and a key in the environment.
"""

import json

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel


class Answer(BaseModel):
    answer: str


def multiply(a: int, b: int) -> int:
    """The product of two numbers."""
    return a * b


def main() -> None:
    model = ChatOpenAI(model="gpt-5-mini", use_responses_api=True, max_retries=0)
    whole = model.invoke("Hello. [sim: output=9]")
    chunks = list(model.stream("Hello again. [sim: output=11]"))
    streamed = chunks[0]
    for chunk in chunks[1:]:
        streamed += chunk
    tools = model.bind_tools([tool(multiply)])
    asked = [HumanMessage("Use multiply.")]
    calling = tools.invoke(asked)
    (call,) = calling.tool_calls
    result = ToolMessage(str(multiply(**call["args"])), tool_call_id=call["id"])
    answered = tools.invoke([*asked, calling, result])
    parsed = model.with_structured_output(Answer).invoke("Answer me.")
    seen = {
        "texts": [str(message.text) for message in (whole, streamed, answered)],
        "chunks": len(chunks),
        "call": [call["name"], call["args"]],
        "output_tokens": [
            message.usage_metadata["output_tokens"] for message in (whole, streamed, answered)
        ],
        "parsed": parsed.model_dump(),
        "status": whole.response_metadata["status"],
    }
    print(json.dumps(seen))


main()
