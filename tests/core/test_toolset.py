"""Every tool that a request brings is found, with its place, wherever it stands."""

from typing import Any

import pytest

from gateway.core.strict import Json
from gateway.core.toolset import has_hosted_tools, tools_of


def found(**fields: Any) -> list[tuple[str, str | None]]:
    return [(tool.place, tool.kind) for tool in tools_of(fields)]


def test_a_request_without_tools() -> None:
    assert found() == found(tools=None, tool_choice="auto", input="text") == []
    assert found(input=[{"role": "user", "content": "x"}, "text", None]) == []


def test_the_list_of_tools() -> None:
    tools = [{"type": "function", "name": "f"}, {"type": "web_search"}]
    assert found(tools=tools) == [("tools[0]", "function"), ("tools[1]", "web_search")]


def test_nested_tools_come_after_their_namespace() -> None:
    inner = {"type": "namespace", "tools": [{"type": "mcp"}]}
    assert found(tools=[{"type": "namespace", "tools": [inner]}]) == [
        ("tools[0]", "namespace"),
        ("tools[0].tools[0]", "namespace"),
        ("tools[0].tools[0].tools[0]", "mcp"),
    ]


def test_definitions_that_an_input_item_brings() -> None:
    item = {"type": "tool_search_output", "tools": [{"type": "mcp"}]}
    assert found(input=["text", item]) == [("input[1].tools[0]", "mcp")]


@pytest.mark.parametrize(
    ("choice", "tools"),
    [
        ("required", []),
        ({"type": "web_search"}, [("tool_choice", "web_search")]),
        ({}, [("tool_choice", None)]),
        ({"type": "allowed_tools", "mode": "auto"}, []),
        (
            {"type": "allowed_tools", "tools": [{"type": "mcp"}]},
            [("tool_choice.tools[0]", "mcp")],
        ),
    ],
)
def test_the_choice_names_tools(choice: Json, tools: list[tuple[str, str | None]]) -> None:
    assert found(tool_choice=choice) == tools


@pytest.mark.parametrize("tools", [{}, {"type": "web_search"}, "web_search", 1, True])
def test_a_list_that_is_none_is_told(tools: Json) -> None:
    assert found(tools=tools) == [("tools", None)]
    assert found(input=[{"tools": tools}]) == [("input[0].tools", None)]


@pytest.mark.parametrize("tool", ["web_search", None, [], {}, {"type": None}, {"type": ["mcp"]}])
def test_a_tool_without_a_type_is_told(tool: Json) -> None:
    assert found(tools=[tool]) == [("tools[0]", None)]


@pytest.mark.parametrize(
    ("fields", "is_hosted"),
    [
        ({}, False),
        ({"tools": []}, False),
        ({"tools": [{"type": "function"}, {"type": "custom"}]}, False),
        ({"tools": [{"type": "function"}], "tool_choice": {"type": "function"}}, False),
        ({"input": [{"type": "tool_search_output", "tools": [{"type": "function"}]}]}, False),
        ({"tools": [{"type": "function"}, {"type": "mcp"}]}, True),
        ({"tools": [{"type": "function", "tools": [{"type": "mcp"}]}]}, True),
        ({"tools": [{"type": {}}]}, True),
        ({"tools": ["web_search"]}, True),
        ({"tools": {"type": "function"}}, True),
        ({"tool_choice": {"type": "web_search"}}, True),
        ({"input": [{"type": "tool_search_output", "tools": [{"type": "mcp"}]}]}, True),
    ],
)
def test_what_may_run_upstream(fields: dict[str, Json], is_hosted: bool) -> None:
    assert has_hosted_tools(fields) is is_hosted
