"""The worst case of a request: from what it comes, and what fits into what is left."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from gateway.adapters.pricefile import load_prices
from gateway.core.bound import (
    ALLOWED_CALL_TOKENS,
    ALLOWED_CALLS,
    HOLD_PUSD_MAX,
    ITEM_OVERHEAD_TOKENS,
    TOOL_OVERHEAD_TOKENS,
    Bound,
    BoundInput,
    bound,
    output_that_fits,
)
from gateway.core.prices import ModelPrice
from gateway.core.request import ResponseRequest

BOOK = load_prices()
NOW_US = 1_795_305_600_000_000  # 2026-11-22
OVERHEAD = 64
MILLION = 10**6  # picodollars a token that are a USD for a million tokens
IMAGE = {"type": "input_image", "image_url": "data:image/png;base64," + "A" * 5000}


def card(name: str = "gpt-6-sol") -> ModelPrice:
    price = BOOK.find(name, NOW_US)
    assert price is not None
    return price


def request(**fields: Any) -> ResponseRequest:
    given = {"model": "gpt-6-sol", "service_tier": "default", "max_output_tokens": 100, **fields}
    body = {name: value for name, value in given.items() if value is not None}
    return ResponseRequest.parse(json.dumps(body).encode())


def bounded(price: ModelPrice | None = None, /, **fields: Any) -> Bound:
    own = {name: fields.pop(name) for name in BoundInput.__struct_fields__ if name in fields}
    return bound(BoundInput(request=request(**fields), **own), price or card())


def test_bytes_bound_the_tokens_of_text() -> None:
    fields: dict[str, Any] = {"input": [{"role": "user", "content": "é"}] * 3}
    fields["tools"] = [{"type": "function", "name": "f"}] * 2
    worst = bounded(**fields)
    read = request(**fields).body_bytes + OVERHEAD
    read += 3 * ITEM_OVERHEAD_TOKENS + 2 * TOOL_OVERHEAD_TOKENS
    assert (worst.input_tokens_max, worst.output_tokens_max) == (read, 100)
    assert worst.hold_pusd == read * 2.5 * MILLION + 100 * 10 * MILLION
    assert worst.unbounded == ()
    assert worst.reasons == (
        f"input ≤ {read} tokens from bytes",
        "output ≤ 100 tokens from your request",
        "price: default",
    )


def test_the_reasons_tell_the_policy_the_tier_and_the_long_context() -> None:
    worst = bounded(service_tier="fast", input="x" * 300_000, set_by_policy=("max_output_tokens",))
    assert worst.reasons[0].startswith("input ≤ 300,")
    assert worst.reasons[1:] == (
        "output ≤ 100 tokens from your policy",
        "price: priority, long context",
    )


@pytest.mark.parametrize("tier", [None, "auto"])
def test_the_reasons_tell_why_a_tier_that_is_not_said_is_the_dearest(tier: str | None) -> None:
    (told,) = (one for one in bounded(service_tier=tier).reasons if one.startswith("price: "))
    assert told.startswith("price: priority, the dearest that the upstream's project may be set to")
    assert "'service_tier': 'default' has less held" in told


def test_an_image_is_held_at_the_most_of_its_model_and_its_data_at_nothing() -> None:
    item = {"role": "user", "content": [IMAGE, {"type": "input_text", "text": "what?"}]}
    worst = bounded(input=[item])
    assert 25_000 < worst.input_tokens_max < 25_400
    assert worst.input_from == "bytes and 1 image"
    two = bounded(card("gpt-4o-mini"), input=[item, item])
    assert 2 * 48_169 < two.input_tokens_max < 2 * 48_169 + 800
    assert two.input_from == "bytes and 2 images"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"conversation": "conv_1"}, "'conversation' refers to what the body does not carry"),
        ({"input": [{"type": "item_reference"}]}, "'input[0]' refers to what the body does not"),
        ({"previous_response_id": "resp_1"}, "how long 'previous_response_id' is, is not known"),
        ({"tools": [{"type": "computer"}]}, "its tools bring a prompt of their own"),
    ],
)
def test_what_is_not_in_the_body_is_bounded_by_the_model(fields: Any, said: str) -> None:
    worst = bounded(**fields)
    assert worst.hold_pusd == 922_000 * 5 * MILLION + 100 * 15 * MILLION
    assert worst.input_from.startswith(f"the model's maximum: {said}")
    assert worst.unbounded == ()


def test_a_provider_that_adds_an_unknown_prompt_is_bounded_by_the_model_too() -> None:
    worst = bounded(replace(card(), prompt_overhead_tokens=None))
    assert worst.input_tokens_max == 922_000
    assert worst.input_from == "the model's maximum: its provider adds a prompt of its own"


def test_no_prompt_is_longer_than_the_model_takes() -> None:
    worst = bounded(input="x" * 2_000_000)
    assert (worst.input_tokens_max, worst.input_from) == (922_000, "the model's maximum")


def test_what_a_known_response_read_and_wrote_is_read_again() -> None:
    alone = bounded(input="and then?")
    worst = bounded(input="and then?", previous_response_id="resp_1", previous_tokens=41_210)
    added = len(', "previous_response_id": "resp_1"')
    assert worst.input_tokens_max == alone.input_tokens_max + added + 41_210
    assert worst.input_from == "bytes and 41,210 tokens of the response before"


@pytest.mark.parametrize(
    "fields", [{"truncation": "auto"}, {"reasoning": {"context": "all_turns"}}]
)
def test_what_was_left_out_before_may_come_back(fields: dict[str, Any]) -> None:
    worst = bounded(**fields, previous_response_id="resp_1", previous_tokens=100)
    assert worst.input_tokens_max == 922_000
    assert worst.input_from.endswith("it may read more of its history than the response before")


def test_what_the_upstream_counted_is_what_it_reads() -> None:
    worst = bounded(conversation="conv_1", counted_input_tokens=777)
    assert worst.reasons[0] == "input ≤ 777 tokens from the upstream's own count"
    assert bounded(counted_input_tokens=10**7).input_tokens_max == 922_000


@pytest.mark.parametrize(("asked", "output_tokens"), [(None, 128_000), (10**9, 128_000), (5, 5)])
def test_output_is_bounded_by_the_model_too(asked: int | None, output_tokens: int) -> None:
    worst = bounded(max_output_tokens=asked)
    assert worst.output_tokens_max == output_tokens
    assert worst.output_from == ("your request" if asked == 5 else "the model's maximum")


def test_each_call_of_a_tool_reads_the_context_again() -> None:
    worst = bounded(tools=[{"type": "web_search"}], max_tool_calls=3, max_output_tokens=None)
    assert (worst.input_tokens_max, worst.output_tokens_max) == (4 * 922_000, 4 * 128_000)
    assert worst.tools_pusd == 3 * 10**10
    tokens_pusd = 4 * 922_000 * 5 * MILLION + 4 * 128_000 * 15 * MILLION
    assert worst.hold_pusd == tokens_pusd + 3 * 10**10
    assert worst.unbounded == ()
    assert worst.reasons[0].endswith("from the model's maximum, 4 times for tools")
    assert worst.reasons[-1] == "fees of tools ≤ 0.030000000000 USD"


def test_without_a_number_of_calls_there_is_no_bound() -> None:
    worst = bounded(tools=[{"type": "web_search"}])
    assert [one.field for one in worst.unbounded] == ["max_tool_calls"]
    assert worst.tools_pusd == ALLOWED_CALLS * 10**10


@pytest.mark.parametrize("calls", [2, None])
def test_an_allowance_for_tools_is_no_bound(calls: int | None) -> None:
    fields: dict[str, Any] = {"tools": [{"type": "web_search"}], "max_tool_calls": calls}
    worst = bounded(**fields, is_unbounded_allowed=True)
    times = ALLOWED_CALLS if calls is None else calls
    read = request(**fields).body_bytes + OVERHEAD + ITEM_OVERHEAD_TOKENS
    assert worst.input_tokens_max == read * (times + 1) + times * ALLOWED_CALL_TOKENS
    assert worst.input_from == f"bytes, and an allowance for {times} calls of tools"
    assert worst.unbounded[-1].field == "tools"
    assert bounded(is_unbounded_allowed=True).unbounded == ()


def test_a_tier_without_a_price_has_no_bound() -> None:
    worst = bounded(card("gpt-5.5"), service_tier=None, input="x" * 300_000)
    assert [one.field for one in worst.unbounded] == ["service_tier"]
    assert worst.hold_pusd > 300_000 * 12.5 * MILLION


def test_no_hold_is_larger_than_any_budget() -> None:
    worst = bounded(tools=[{"type": "web_search"}], max_tool_calls=2**60)
    assert worst.hold_pusd == HOLD_PUSD_MAX
    assert [one.field for one in worst.unbounded] == ["max_tool_calls"]


def test_the_output_that_fits_is_all_that_was_asked_for_where_it_does() -> None:
    asked = BoundInput(request=request())
    assert output_that_fits(asked, card(), 10**12) == 100
    unlimited = BoundInput(request=request(max_output_tokens=None))
    assert output_that_fits(unlimited, card(), 10**14) == 128_000


@pytest.mark.parametrize("fields", [{"tools": [{"type": "web_search"}]}, {"n": 2}])
def test_nothing_fits_for_what_has_no_bound(fields: dict[str, Any]) -> None:
    assert output_that_fits(BoundInput(request=request(**fields)), card(), 10**18) is None


def test_no_output_fits_beside_an_input_that_does_not() -> None:
    asked = BoundInput(request=request(conversation="conv_1"))
    assert output_that_fits(asked, card(), 10**12) is None


def test_output_that_costs_nothing_always_fits() -> None:
    default = card().tiers["default"]
    free = replace(default.short, output=0)
    price = replace(card(), name="free", tiers={"default": replace(default, short=free, long=free)})
    asked = BoundInput(request=request())
    assert output_that_fits(asked, price, 10**12) == 100
    assert output_that_fits(asked, price, 1) is None


@given(
    left_pusd=st.integers(0, 3 * 10**12),
    tier=st.sampled_from([None, "default", "flex", "priority"]),
    wanted=st.none() | st.integers(16, 200_000),
    text=st.text(max_size=50),
    repeats=st.sampled_from([1, 100, 6_000]),
)
def test_what_fits_is_the_most_that_does(
    left_pusd: int, tier: str | None, wanted: int | None, text: str, repeats: int
) -> None:
    asked = BoundInput(
        request=request(service_tier=tier, max_output_tokens=wanted, input=text * repeats)
    )
    price = card()

    def hold_pusd(output_tokens: int) -> int:
        sent, _ = asked.request.rewritten({"max_output_tokens": output_tokens})
        return bound(structs.replace(asked, request=sent), price).hold_pusd

    most = min(wanted or 128_000, 128_000)
    fits = output_that_fits(asked, price, left_pusd)
    if fits is None:
        assert hold_pusd(max(16, min(most, 16))) > left_pusd - 6 * 10 * MILLION
        return
    assert 16 <= fits <= most
    assert hold_pusd(fits) <= left_pusd
    # What is left over is less than a token, and the few bytes that a wider number may take.
    assert fits == most or hold_pusd(fits + 1) > left_pusd - 6 * 10 * MILLION


@given(st.integers(0, 1_200_000), st.integers(0, 1_200_000), st.sampled_from(BOOK.names()))
def test_more_bytes_are_never_cheaper(few: int, more: int, name: str) -> None:
    few, more = sorted((few, more))
    price = BOOK.find(name, NOW_US)
    assert price is not None
    asked = request(service_tier=None)
    holds = [
        bound(BoundInput(request=structs.replace(asked, body_bytes=size)), price).hold_pusd
        for size in (few, more)
    ]
    assert holds == sorted(holds)
