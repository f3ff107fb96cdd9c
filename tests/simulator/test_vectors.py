"""The same text has the same vector, however it is written down."""

import base64
from array import array
from typing import Any

import pytest

from gateway.simulator.vectors import DIMENSIONS, embeddings, moderation


def told(given: Any, **fields: Any) -> Any:
    return embeddings({"model": "m", "input": given, **fields})


@pytest.mark.parametrize(
    ("given", "inputs", "tokens"),
    [("four", 1, 1), ("fifth", 1, 2), (["a", "b"], 2, 2), ([1, 2, 3], 1, 3), ([[1], [2, 3]], 2, 3)],
)
def test_each_input_is_counted(given: Any, inputs: int, tokens: int) -> None:
    answer = told(given)
    assert [one["index"] for one in answer["data"]] == [*range(inputs)]
    assert answer["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}


def test_a_vector_is_the_same_in_both_encodings() -> None:
    plain = told("text", dimensions=8)["data"][0]["embedding"]
    coded = told("text", dimensions=8, encoding_format="base64")["data"][0]["embedding"]
    assert array("f", base64.b64decode(coded)).tolist() == plain
    assert len(told("text")["data"][0]["embedding"]) == DIMENSIONS
    assert told("other", dimensions=8)["data"][0]["embedding"] != plain


def test_a_moderation_flags_what_asks_for_it() -> None:
    verdict = moderation({"input": ["fine", "flag me"]}, "stem")
    assert verdict["model"] == "omni-moderation-latest"
    assert [one["flagged"] for one in verdict["results"]] == [False, True]
    assert len(moderation({"input": "fine"}, "stem")["results"]) == 1
