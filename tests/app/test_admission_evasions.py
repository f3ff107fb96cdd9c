"""About a hundred ways round a policy, through the real admission: none sends what is not allowed.

What is admitted all the same is read as the most obliging of parsers would read it, and must still
keep the policy. Each row is a way; its name says which field it aims at.
"""

import json
from typing import Any

import pytest

from gateway.app.admission import Admission, Permit
from gateway.cli.access import now_us
from gateway.core.endpoints import find
from gateway.core.errors import InvalidRequest
from gateway.core.policy import Policy
from tests.builders import price, tenant
from tests.fakes.rules import ALL_OURS, NO_CHAINS, NO_MINUTES, KnownPrices, OnePolicy

POLICY = Policy(
    models=("cheap", "gpt-test"),
    aliases={"fast": "cheap"},
    max_output_tokens_default=100,
    max_output_tokens_cap=200,
    max_tool_calls_cap=4,
    service_tiers=("default", "flex"),
    tools=("function", "web_search", "namespace"),
    store="deny",
    background="deny",
    unpriced="deny",
    over="deny",
)
PRICES = KnownPrices(*(price(name=name) for name in ("cheap", "gpt-test", "dear")))
RESPONSES = find("POST", b"/v1/responses").endpoint


async def permitted(body: bytes) -> Permit:
    admission = Admission(
        prices=PRICES,
        policies=OnePolicy(POLICY),
        chains=NO_CHAINS,
        owners=ALL_OURS,
        minutes=NO_MINUTES,
        is_unpriced_allowed=False,
        now_us=now_us,
    )
    return await admission.admit(
        body, endpoint=RESPONSES, tenant=tenant(), request_id="req-1", headers=[]
    )


def asking(**fields: Any) -> bytes:
    return json.dumps({"model": "cheap", "input": "hello", **fields}).encode()


def raw(members: str) -> bytes:
    return b'{"input":"hello",' + members.encode("utf-8", "surrogatepass") + b"}"


MCP = {"type": "mcp", "server_url": "https://elsewhere.example"}

MODEL = [
    raw('"model":"dear"'),
    raw('"model":"cheap","model":"dear"'),
    raw('"model":"dear","model":"cheap"'),
    raw('"model":"cheap","mod\\u0065l":"dear"'),
    raw('"\\u006dodel":"dear","model":"cheap"'),
    raw('"model":"cheap","Model":"dear"'),
    raw('"model":"cheap","MODEL":"dear"'),
    raw('"model":"cheap","model ":"dear"'),
    raw('"model":"cheap"," model":"dear"'),
    raw('"model":"cheap","model\\u0000":"dear"'),
    raw('"model":"cheap","mod\\u200bel":"dear"'),
    raw('"model":"cheap","\\uff4dodel":"dear"'),
    raw('"model":"cheap","mode\u2113":"dear"'),
    raw('"model":"cheap","model[]":"dear"'),
    raw('"model":"cheap","_model":"dear"'),
    raw('"model":null'),
    raw('"model":""'),
    raw('"model":["cheap","dear"]'),
    raw('"model":{"cheap":1}'),
    raw('"model":5'),
    raw('"model":"dear\\u0000"'),
    raw('"model":" dear"'),
    raw('"model":"Dear"'),
    raw('"model":"CHEAP"'),
    raw('"model":"cheap\\n"'),
    raw('"model":"cheap,dear"'),
    raw('"model":"\\uff43heap"'),
    raw('"model":"ch\u0435ap"'),  # a Cyrillic letter
    raw('"model":"\\ud800cheap"'),
    raw('"Model":"cheap"'),
    raw('"prompt":{"id":"pmpt_1","model":"dear"}'),
    raw('"model":"cheap","prompt":{"id":"pmpt_1"}'),
    asking(tools=[{"type": "web_search", "model": "dear"}]),
    asking(tools=[{"type": "web_search", "Model": "dear"}]),
    asking(tools=[{"type": "namespace", "tools": [{"type": "function", "model": "dear"}]}]),
    asking(tools=[{"type": "function", "model": ["dear"]}]),
]
OUTPUT = [
    asking(max_output_tokens=201),
    asking(max_output_tokens=2**40),
    raw('"model":"cheap","max_output_tokens":1e3'),
    raw('"model":"cheap","max_output_tokens":100.0'),
    raw('"model":"cheap","max_output_tokens":1E999'),
    raw('"model":"cheap","max_output_tokens":99999999999999999999'),
    raw('"model":"cheap","max_output_tokens":' + "9" * 5000),
    raw('"model":"cheap","max_output_tokens":-1'),
    raw('"model":"cheap","max_output_tokens":"100"'),
    raw('"model":"cheap","max_output_tokens":true'),
    raw('"model":"cheap","max_output_tokens":[100]'),
    raw('"model":"cheap","max_output_tokens":{"$gt":0}'),
    raw('"model":"cheap","max_output_tokens":NaN'),
    raw('"model":"cheap","max_output_tokens":Infinity'),
    raw('"model":"cheap","max_output_tokens":-Infinity'),
    raw('"model":"cheap","max_output_tokens":0x64'),
    raw('"model":"cheap","max_output_tokens":0100'),
    raw('"model":"cheap","max_output_tokens":+100'),
    raw('"model":"cheap","max_output_tokens":100,"max_output_tokens":9999'),
    raw('"model":"cheap","max_output_tokens":100,"max_output_token\\u0073":9999'),
    raw('"model":"cheap","max_output_tokens":100,"maxOutputTokens":9999'),
    raw('"model":"cheap","max_output_tokens":100,"max-output-tokens":9999'),
    raw('"model":"cheap","max_output_tokens":100,"MAX_OUTPUT_TOKENS":9999'),
    raw('"model":"cheap","max_output_tokens":100,"max_output_token\u017f":9999'),
    raw('"model":"cheap","max_output_tokens":100,"max_output_tokens\\ufeff":9999'),
]
CALLS = [
    asking(max_tool_calls=5),
    asking(max_tool_calls=4.5),
    asking(max_tool_calls="4"),
    asking(max_tool_calls=-1),
    raw('"model":"cheap","max_tool_calls":1,"max_tool_calls":99'),
    raw('"model":"cheap","max_tool_calls":1,"maxToolCalls":99'),
    raw('"model":"cheap","max_tool_calls":1,"max_tool_call\\u017f":99'),
]
TIER = [
    asking(service_tier="priority"),
    asking(service_tier="auto"),
    asking(service_tier="Flex"),
    asking(service_tier="flex "),
    asking(service_tier=["flex"]),
    asking(service_tier={"flex": "priority"}),
    asking(service_tier=1),
    raw('"model":"cheap","service_tier":"flex","service_tier":"priority"'),
    raw('"model":"cheap","service_tier":"flex","serviceTier":"priority"'),
    raw('"model":"cheap","service_tier":"flex","service_t\\u0131er":"priority"'),
    raw('"model":"cheap","service_tier":"flex","Service_Tier":"priority"'),
]
TOOLS = [
    asking(tools=[MCP]),
    asking(tools=[{"type": "function"}, MCP]),
    asking(tools=MCP),
    asking(tools={"0": MCP}),
    asking(tools="mcp"),
    asking(tools=["mcp"]),
    asking(tools=[[MCP]]),
    asking(tools=[None]),
    asking(tools=[{}]),
    asking(tools=[{"type": None}]),
    asking(tools=[{"type": ["function"]}]),
    asking(tools=[{"type": "MCP"}]),
    asking(tools=[{"type": "mcp "}]),
    asking(tools=[{"type": "web_search_preview"}]),
    asking(tools=[{"type": "function", "Type": "mcp"}]),
    asking(tools=[{"type": "function", "type\u200b": "mcp"}]),
    asking(tools=[{"type": "function", "\uff54ype": "mcp"}]),
    asking(tools=[{"Type": "function"}]),
    asking(tools=[{"type": "namespace", "name": "n", "tools": [MCP]}]),
    asking(tools=[{"type": "namespace", "tools": [{"type": "namespace", "tools": [MCP]}]}]),
    asking(tools=[{"type": "namespace", "tools": MCP}]),
    asking(tools=[{"type": "namespace", "Tools": [MCP]}]),
    asking(tools=[{"type": "function", "tools": [MCP]}]),
    asking(tool_choice=MCP),
    asking(tool_choice={"type": "allowed_tools", "tools": [MCP]}),
    asking(tool_choice={"type": "allowed_tools", "tools": MCP}),
    asking(tool_choice={"type": "code_interpreter"}),
    asking(tool_choice={"name": "f"}),
    asking(input=[{"type": "tool_search_output", "tools": [MCP]}]),
    asking(input=[{"role": "user", "content": "x"}, {"type": "additional_tools", "tools": MCP}]),
    asking(input=["x", {"type": "tool_search_output", "Tools": [MCP]}]),
    asking(input=[{"type": "x", "too\u2113s": [MCP]}]),
    asking(prompt={"id": "pmpt_1", "tools": [MCP]}),
    asking(prompt="pmpt_1"),
    asking(prompt=False),
    raw('"model":"cheap","tools":[],"tools":[{"type":"mcp"}]'),
    raw('"model":"cheap","tools":[{"type":"function","type":"mcp"}]'),
    raw('"model":"cheap","tools":[{"type":"function","t\\u0079pe":"mcp"}]'),
    raw('"model":"cheap","tools":[],"Tools":[{"type":"mcp"}]'),
    raw('"model":"cheap","tools":[],"too\u2113s":[{"type":"mcp"}]'),
    raw('"model":"cheap","toolChoice":{"type":"mcp"}'),
]
STORE = [
    asking(store=True),
    asking(store=1),
    asking(store="true"),
    asking(store=[]),
    raw('"model":"cheap","store":false,"store":true'),
    raw('"model":"cheap","store":false,"Store":true'),
    raw('"model":"cheap","store":false,"\u017ftore":true'),
]
BACKGROUND = [
    asking(background=True),
    asking(background=1),
    asking(background="yes"),
    asking(background={}),
    raw('"model":"cheap","background":false,"background":true'),
    raw('"model":"cheap","bac\u212aground":true'),
    raw('"model":"cheap","bac\\u212aground":true'),
    raw('"model":"cheap","back\\u00adground":true'),
    raw('"model":"cheap","Background":true'),
]
WRITING = [
    b"\xef\xbb\xbf" + asking(model="dear"),
    asking(model="dear").decode().encode("utf-16"),
    asking().decode().encode("utf-16-le"),
    asking().decode().encode("utf-32"),
    b"[" + asking() + b"]",
    asking() + asking(model="dear"),
    asking() + b"\0" + asking(model="dear"),
    asking() + b"\n//",
    b'{"input":"hello","model":"cheap",}',
    b"{'model':'cheap'}",
    b'{model:"cheap"}',
    b'{"model":"cheap"/*,*/}',
    b'{"model":"ch\xc0\xa5ap"}',
    b'{"model":"cheap","input":' + b"[" * 64 + b"]" * 64 + b"}",
    b'{"model":"cheap","metadata":{"a":{"b":1,"b":2}}}',
    b"model=dear",
    b"",
]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(body, id=f"{aim}-{number}")
        for aim, bodies in {
            "model": MODEL,
            "max_output_tokens": OUTPUT,
            "max_tool_calls": CALLS,
            "service_tier": TIER,
            "tools": TOOLS,
            "store": STORE,
            "background": BACKGROUND,
            "writing": WRITING,
        }.items()
        for number, body in enumerate(bodies)
    ],
)
async def test_no_way_round(body: bytes) -> None:
    with pytest.raises(InvalidRequest) as raised:
        await permitted(body)
    assert raised.value.status == 400
    assert len(raised.value.message) < 400


@pytest.mark.parametrize(
    ("fields", "changed"),
    [
        ({}, {"service_tier": "default", "store": False, "max_output_tokens": 100}),
        (
            {"max_output_tokens": None, "service_tier": None, "store": None},
            {"service_tier": "default", "store": False, "max_output_tokens": 100},
        ),
        (
            {"service_tier": "flex", "store": False, "tools": [{"type": "web_search"}]},
            {"max_output_tokens": 100, "max_tool_calls": 4},
        ),
        (
            {"model": "fast", "service_tier": "flex", "store": False, "max_output_tokens": 200},
            {"model": "cheap"},
        ),
    ],
)
async def test_what_is_not_said_is_no_way_either(
    fields: dict[str, Any], changed: dict[str, Any]
) -> None:
    permit = await permitted(asking(**fields))
    assert json.loads(permit.body) == {**json.loads(asking(**fields)), **changed}
    assert {change.field: change.now for change in permit.changes} == changed


async def test_names_inside_the_text_are_only_text() -> None:
    """What a request says about its fields elsewhere is no field."""
    text = '","model":"dear","tools":[{"type":"mcp"}],"background":true,"x":"'
    fields = {
        "input": [{"role": "user", "content": text}],
        "metadata": {"model": "dear", "Model": "dear", "background": "true"},
        "instructions": text,
        "store": False,
        "service_tier": "flex",
        "max_output_tokens": 50,
        "tools": [{"type": "function", "parameters": {"properties": {"Type": {}, "model": {}}}}],
    }
    permit = await permitted(asking(**fields))
    assert permit.body == asking(**fields)
