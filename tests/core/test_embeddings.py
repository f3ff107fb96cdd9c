"""An embedding's body in the terms of any request that costs, and what bounds its cost."""

import json
from typing import Any, get_type_hints

import pytest
from openai.types.embedding_create_params import EmbeddingCreateParams

from gateway.core.admit import admit
from gateway.core.bound import BoundInput, bound, output_that_fits
from gateway.core.embeddings import EmbeddingsRequest
from gateway.core.policy import Policy
from tests.builders import price


def request(given: Any, **fields: Any) -> EmbeddingsRequest:
    body = json.dumps({"model": "gpt-test", "input": given, **fields})
    return EmbeddingsRequest.parse(body.encode())


@pytest.mark.parametrize(
    ("given", "inputs"),
    [("one", 1), (["one", "two"], 2), ([1, 2, 3], 1), ([[1, 2], [3]], 2), ([], 1), (None, 1)],
)
def test_how_many_texts_are_read(given: Any, inputs: int) -> None:
    assert request(given).inputs == inputs


def test_each_text_may_be_as_long_as_the_model_takes() -> None:
    card = price(input_tokens_max=100)
    long = ["x" * 1000] * 3
    worst = bound(BoundInput(request=request(long, dimensions=8)), card)
    assert (worst.input_tokens_max, worst.output_tokens_max, worst.unbounded) == (300, 0, ())
    short = bound(BoundInput(request=request("x")), card).input_tokens_max
    assert short <= request("x").body_bytes + 16 + (card.prompt_overhead_tokens or 0)


def test_tokens_by_number_have_a_byte_each_at_least() -> None:
    given = [[7] * 500, [8] * 300]
    worst = bound(BoundInput(request=request(given)), price())
    assert 800 <= worst.input_tokens_max < 800 * 4


def test_no_field_of_the_sdk_is_unfamiliar() -> None:
    assert get_type_hints(EmbeddingCreateParams).keys() <= EmbeddingsRequest.familiar
    unknown = bound(BoundInput(request=request("x", input_type="query")), price())
    assert unknown.unbounded[0].field == "input_type"


def test_a_policy_sets_nothing_that_the_endpoint_does_not_take() -> None:
    policy = Policy(
        store="deny",
        service_tiers=("default",),
        max_output_tokens_cap=100,
        max_output_tokens_default=50,
        max_tool_calls_cap=1,
    )
    assert admit(request("x"), policy).body is None
    assert output_that_fits(BoundInput(request=request("x")), price(), 10**12) is None
