"""Items are the same however they are read, and tools are read when they are needed."""

import json
from typing import Any

import msgspec
import pytest

from gateway.core.elements import elements, take_items
from gateway.core.facts import BODY, skim
from gateway.core.skim import KEPT_BYTES_MAX, Skimmer
from gateway.core.skimmed import Skimmed

PLAIN = {"id": "msg_1", "type": "message", "status": "completed", "content": [{"type": "x"}]}
CALL = {"id": "ci_1", "type": "code_interpreter_call", "container_id": "cntr_1"}
SEARCH = {"id": "ws_1", "type": "web_search_call", "action": {"type": "search", "query": "q"}}


def whole(output: list[Any]) -> Skimmed:
    found = Skimmed()
    take_items(found, "output", msgspec.Raw(json.dumps(output).encode()))
    return found


@pytest.mark.parametrize(
    "output",
    [
        [],
        [PLAIN, PLAIN, CALL],
        [PLAIN, SEARCH],
        [PLAIN, 5, None, []],
        [{"type": "x" * KEPT_BYTES_MAX}, PLAIN],
        [{"type": {"a": 1}, "id": [1], "status": None}],
    ],
    ids=lambda output: f"{len(output)} {str(output)[:20]}",
)
def test_items_are_the_same_however_they_are_read(output: list[Any]) -> None:
    walk = Skimmer(BODY)
    walk.feed(json.dumps({"output": output}).encode())
    walked, found = walk.end(), whole(output)
    assert walked is not None
    assert (found.items, found.names, found.containers) == (
        walked.items,
        walked.names,
        walked.containers,
    )


@pytest.mark.parametrize("odd", ['{"type":"function"}', '{"\\ud800":1}', "7"])
def test_tools_are_left_as_they_are_until_somebody_asks(odd: str) -> None:
    found = skim(b'{"tools":[{"type":"web_search"},' + odd.encode() + b"]}", is_event=False)
    assert found is not None
    known = elements(found, "tools")
    assert known[b'"web_search"', *[b""] * 7] == 1
    assert sum(known.values()) == 2
    assert elements(found, "tools") is known
