"""What a body brings as input: text, images, and the first place that refers to something else."""

from typing import Any

import pytest

from gateway.core.content import Content, content_of

IMAGE = {"type": "input_image", "image_url": "https://example.test/cat.png"}


def said(*parts: Any) -> Any:
    return {"role": "user", "content": list(parts)}


@pytest.mark.parametrize(
    "given_input",
    [
        "text",
        [],
        [{"role": "user", "content": "text"}],
        [{"role": "user"}],
        [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a"}]}],
        [{"type": "message", "content": [{"type": "output_text"}, {"type": "refusal"}]}],
        [{"type": "function_call", "arguments": "{}"}],
        [{"type": "function_call_output", "output": "text"}],
        [{"type": "custom_tool_call_output", "output": [{"type": "input_text"}]}],
        [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}],
    ],
    ids=str,
)
def test_text_is_all_there(given_input: Any) -> None:
    items = len(given_input) if isinstance(given_input, list) else 1
    assert content_of({"input": given_input}) == Content(items=items)
    assert content_of({}) == content_of({"input": None}) == Content(items=1)


@pytest.mark.parametrize(
    ("given_input", "missing"),
    [
        (5, "input"),
        ({"role": "user"}, "input"),
        (["text"], "input[0]"),
        ([{"type": "item_reference", "id": "msg_1"}], "input[0]"),
        ([{"id": "msg_1"}], "input[0]"),
        ([{"type": None, "role": "user", "content": "a"}], "input[0]"),
        ([{"type": [], "role": "user", "content": "a"}], "input[0]"),
        ([{"type": "reasoning", "id": "rs_1", "summary": []}], "input[0]"),
        ([{"type": "computer_call_output"}], "input[0]"),
        ([said({"type": "input_file", "file_id": "file_1"})], "input[0]"),
        ([said(IMAGE, {"type": "input_audio"})], "input[0]"),
        ([said({"type": []})], "input[0]"),
        ([said("text")], "input[0]"),
        ([{"role": "user", "content": {}}], "input[0]"),
        ([{"type": "function_call_output", "output": [{"type": "input_file"}]}], "input[0]"),
        ([said(), {"type": "item_reference", "id": "msg_1"}], "input[1]"),
    ],
    ids=str,
)
def test_what_is_kept_elsewhere_is_missing(given_input: Any, missing: str) -> None:
    assert content_of({"input": given_input}) == Content(items=0, missing=missing)


@pytest.mark.parametrize("name", ["conversation", "prompt"])
def test_a_reference_is_missing(name: str) -> None:
    assert content_of({"input": "text", name: {"id": "1"}}).missing == name
    assert content_of({"input": "text", name: None}).missing is None


def test_images_are_counted_and_their_data_are_no_text() -> None:
    data = "data:image/png;base64," + "A" * 1000
    items: Any = [
        said(IMAGE, {"type": "input_image", "image_url": data}),
        {"type": "function_call_output", "output": [{"type": "input_image", "file_id": "f"}]},
    ]
    found = content_of({"input": items})
    assert found == Content(items=2, images=3, image_bytes=len(data))


@pytest.mark.parametrize("url", [5, None, {"url": "data:x"}, "DATA:image/png;base64,AA"])
def test_what_may_not_be_image_data_stays_text(url: Any) -> None:
    found = content_of({"input": [said({"type": "input_image", "image_url": url})]})
    assert (found.images, found.image_bytes) == (1, 0)
