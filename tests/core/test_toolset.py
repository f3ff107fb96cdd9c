"""Every tool that a request brings is found, with its place, wherever it stands."""

from typing import Any

import pytest

from gateway.core.strict import Json
from gateway.core.toolset import hosted_and_own, tools_of


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


SEARCH_OUTPUT = {"type": "tool_search_output", "tools": [{"type": "function"}]}


@pytest.mark.parametrize(
    ("fields", "hosted", "own"),
    [
        ({}, (), 0),
        ({"tools": []}, (), 0),
        ({"tools": [{"type": "function"}, {"type": "custom"}]}, (), 2),
        ({"tools": [{"type": "function"}], "tool_choice": {"type": "function"}}, (), 2),
        ({"input": [SEARCH_OUTPUT]}, (), 1),
        ({"tools": [{"type": "namespace", "tools": [{"type": "function"}] * 3}]}, (), 3),
        ({"tools": [{"type": "namespace"}]}, ("namespace",), 0),
        ({"tools": [{"type": "function"}, {"type": "mcp"}, {"type": "mcp"}]}, ("mcp",), 1),
        ({"tools": [{"type": "function", "tools": [{"type": "mcp"}]}]}, ("mcp",), 1),
        ({"tools": [{"type": {}}, {"type": "computer"}]}, ("", "computer"), 0),
        ({"tools": ["web_search"]}, ("",), 0),
        ({"tools": {"type": "function"}}, ("",), 0),
        ({"tool_choice": {"type": "web_search"}}, ("web_search",), 0),
        ({"input": [{"type": "tool_search_output", "tools": [{"type": "mcp"}]}]}, ("mcp",), 0),
    ],
)
def test_what_may_run_upstream(fields: dict[str, Json], hosted: tuple[str, ...], own: int) -> None:
    assert hosted_and_own(fields) == (hosted, own)
