"""What hosted tools did: billed counts first, then the items, and the tools that are repeated."""

from typing import Any

import pytest

from gateway.core.tool_use import ImageUse, Item, Tool, ToolUse, tool_use_from

AUTO = Tool("code_interpreter")
CALL = "code_interpreter_call"


def made(*items: Item, tools: tuple[Tool, ...] = (), tool_usage: object = None) -> ToolUse:
    return tool_use_from(tool_usage, dict.fromkeys(items, 1), tools)


def drawn(*tools: Tool, **counts: Any) -> ImageUse | None:
    return made(tools=tools, tool_usage={"image_gen": counts}).images


def test_billed_searches_win_over_counted_ones() -> None:
    items = {
        Item("web_search_call", "completed", action_type="search"): 2,
        Item("web_search_call", "failed", action_type="search"): 8,
        Item("web_search_call", action_type="open_page"): 4,
        Item("web_search_call"): 1,
        Item(""): 1,
    }
    assert tool_use_from({"web_search": {"num_requests": 0}}, items, ()).web_searches == 0
    unread: list[object] = [None, {}, {"web_search": None}, {"web_search": []}, "x"]
    for absent in unread:
        assert tool_use_from(absent, items, ()).web_searches == 3
    assert tool_use_from(None, items, ()).items == {"web_search_call": 15}


def test_the_search_tools_are_told() -> None:
    tools = (Tool("web_search_preview"), Tool("function"), Tool("web_search_2025_08_26"))
    assert made(tools=tools).search_tools == {"web_search_preview", "web_search_2025_08_26"}


def test_a_failed_look_into_files_is_no_call() -> None:
    items = (Item("file_search_call", "completed"), Item("file_search_call", "failed"))
    assert made(*items).items == {"file_search_call": 1}


@pytest.mark.parametrize(
    ("tool", "size"),
    [
        (AUTO, "1g"),
        (Tool("code_interpreter", memory="16g"), "16g"),
        (Tool("code_interpreter", container="cntr_1"), ""),
        (Tool("shell", environment_type="container_auto"), ""),
    ],
)
def test_a_container_has_the_size_that_its_tool_says(tool: Tool, size: str) -> None:
    items = (
        Item(CALL, "completed", "cntr_1"),
        Item(CALL, "failed", "cntr_1"),
        Item(CALL, "completed", "cntr_2"),
    )
    assert made(*items, tools=(tool,)).containers == {size: 2}


def test_two_tools_of_different_sizes_leave_it_unknown() -> None:
    tools = (AUTO, Tool("code_interpreter", memory="4g"))
    assert made(Item(CALL), tools=tools).containers == {"": 1}


@pytest.mark.parametrize(
    ("item", "tool", "containers"),
    [
        (Item("shell_call", environment_type="local"), Tool("shell"), {}),
        (Item("shell_call"), Tool("shell", environment_type="local"), {}),
        (Item("shell_call"), Tool("shell"), {"": 1}),
        (Item("shell_call"), Tool("shell", environment_type="container_reference"), {"": 1}),
        (Item("shell_call"), Tool("shell", environment_type="container_auto"), {"1g": 1}),
        (
            Item("shell_call", environment_type="container_reference"),
            Tool("shell", environment_type="container_auto", environment_memory="64g"),
            {"64g": 1},
        ),
    ],
)
def test_a_shell_has_a_container_unless_it_is_the_client_s(
    item: Item, tool: Tool, containers: dict[str, int]
) -> None:
    assert made(item, tools=(tool,)).containers == containers


def test_nothing_drawn_is_no_use_and_what_cannot_be_read_is_not_taken_for_none() -> None:
    assert drawn() is None
    assert drawn(input_tokens=0, output_tokens=0, total_tokens=0) is None
    unread: list[dict[str, object]] = [
        {"total_tokens": "5"},
        {"input_tokens": 9, "input_tokens_details": {"text_tokens": 5}},
        {"output_tokens": 5, "cached_tokens": 2},
        {"output_tokens": 5, "output_tokens_details": []},
    ]
    for counts in unread:
        assert drawn(**counts) == ImageUse(models=(), usage=None), counts


def test_an_image_s_tokens_are_told_apart() -> None:
    use = drawn(
        Tool("image_generation", model="gpt-image-2"),
        input_tokens=1600,
        input_tokens_details={"image_tokens": 1400, "text_tokens": 200},
        cached_tokens=1024,
        cached_tokens_details={"cached_image_tokens": 1024, "cached_text_tokens": 0},
        output_tokens=1056,
        total_tokens=2656,
    )
    assert use is not None
    assert use.usage is not None
    assert use.models == ("gpt-image-2",)
    part = use.usage.modalities
    assert (part.image, part.image_cached, part.image_output) == (1400, 1024, 1056)


def test_a_drawing_in_words_is_written_by_a_model_that_is_not_told() -> None:
    use = drawn(Tool("image_generation", output_format="svg"), output_tokens=5)
    assert use == ImageUse(models=("",), usage=None)
