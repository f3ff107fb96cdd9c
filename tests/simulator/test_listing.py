"""Items with ids, and their pages in both orders."""

from typing import Any

import pytest

from gateway.simulator.answers import ApiError
from gateway.simulator.ids import Ids
from gateway.simulator.listing import input_items, listed

ITEMS = [{"id": f"msg_{number}"} for number in range(5)]
IDS = Ids(stem="0" * 50)


def page(**query: str) -> tuple[list[str], bool]:
    told = listed(ITEMS, {name: [value] for name, value in query.items()})
    ids = [item["id"].removeprefix("msg_") for item in told["data"]]
    assert (told["first_id"], told["last_id"]) == (told["data"][0]["id"], told["data"][-1]["id"])
    return ids, told["has_more"]


def test_pages() -> None:
    assert page() == (["4", "3", "2", "1", "0"], False)
    assert page(order="asc", limit="2") == (["0", "1"], True)
    assert page(order="asc", limit="2", after="msg_1") == (["2", "3"], True)
    assert page(limit="3", after="msg_3") == (["2", "1", "0"], False)


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "x"}, {"after": "msg_9"}])
def test_pages_that_cannot_be(query: dict[str, str]) -> None:
    with pytest.raises(ApiError):
        page(**query)


def test_nothing_is_a_page_too() -> None:
    assert listed([], {}) == {
        "object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        ("text", [("message", "input_text")]),
        ([{"role": "assistant", "content": "said"}], [("message", "output_text")]),
        ([{"type": "function_call_output", "output": "x"}], [("function_call_output", "")]),
        ([{"type": "message", "content": [{"type": "input_image"}]}], [("message", "input_image")]),
        (None, []),
    ],
)
def test_what_was_given_has_ids(given: Any, kinds: list[tuple[str, str]]) -> None:
    items = input_items({"input": given}, IDS)
    assert len({item["id"] for item in items}) == len(items)
    found = [(item["type"], item.get("content", [{"type": ""}])[0]["type"]) for item in items]
    assert found == kinds


def test_an_id_that_was_given_stays() -> None:
    assert input_items({"input": [{"id": "msg_mine", "content": "x"}]}, IDS)[0]["id"] == "msg_mine"
