"""A body becomes the hold of its worst case, at the prices of the moment, or is refused."""

import asyncio
import json
import time
from typing import Any

import pytest

from gateway.adapters.chains import READ_SECONDS_MAX
from gateway.app.admission import Admission, Permit
from gateway.cli.access import now_us
from gateway.core.admit import CUT_TAG
from gateway.core.attribution import CLIENT_REQUEST_TAG
from gateway.core.bound import ITEM_OVERHEAD_TOKENS
from gateway.core.budget import ConcurrencyLimit
from gateway.core.endpoints import find
from gateway.core.errors import InvalidRequest, Unpriced
from gateway.core.exchange import Hold
from gateway.core.headers import Headers
from gateway.core.inheritance import Level
from gateway.core.policy import Policy
from gateway.core.prices import ModelPrice
from tests.builders import price, tenant
from tests.fakes.rules import (
    ALL_OURS,
    NO_CHAINS,
    NO_MINUTES,
    KnownChains,
    KnownPrices,
    NoMinutes,
    OnePolicy,
)

CARD = price()
SILENT = Policy()
INPUT_PUSD, OUTPUT_PUSD = 2_000_000, 8_000_000
OVERHEAD_TOKENS = 64 + ITEM_OVERHEAD_TOKENS
RESPONSES = find("POST", b"/v1/responses").endpoint


async def permitted(  # noqa: PLR0913 - all by name
    *,
    card: ModelPrice = CARD,
    is_unpriced_allowed: bool = False,
    policy: Policy = SILENT,
    headers: Headers | None = None,
    chains: Any = NO_CHAINS,
    minutes: Any = NO_MINUTES,
    owners: Any = ALL_OURS,
    **fields: Any,
) -> Permit:
    admission = Admission(
        prices=KnownPrices(card),
        policies=OnePolicy(policy),
        chains=chains,
        owners=owners,
        minutes=minutes,
        is_unpriced_allowed=is_unpriced_allowed,
        now_us=now_us,
        client_tags=frozenset({"team"}),
    )
    return await admission.admit(
        body(**fields),
        endpoint=RESPONSES,
        tenant=tenant(),
        request_id="req-1",
        headers=headers or [],
    )


async def admitted(**fields: Any) -> Hold:
    return (await permitted(**fields)).hold


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "gpt-test", "input": "hello", **fields}).encode()


async def test_a_hold_says_whose_what_and_how_much() -> None:
    before_us = time.time_ns() // 1000
    fields: dict[str, Any] = {"stream": True, "service_tier": "default", "max_output_tokens": 100}
    hold = await admitted(**fields)
    input_tokens = len(body(**fields)) + OVERHEAD_TOKENS
    assert before_us <= hold.created_at_us <= time.time_ns() // 1000
    assert hold == Hold(
        request_id="req-1",
        tenant="acme/search",
        key_id="k00000000001",
        created_at_us=hold.created_at_us,
        hold_pusd=input_tokens * INPUT_PUSD + 100 * OUTPUT_PUSD,
        endpoint="responses",
        model="gpt-test",
        service_tier="default",
        is_stream=True,
        max_output_tokens=100,
        price=CARD,
    )


async def test_what_the_body_refers_to_is_held_at_the_models_maximum() -> None:
    hold = await admitted(previous_response_id="resp_1", max_output_tokens=1)
    assert hold.hold_pusd == CARD.input_tokens_max * INPUT_PUSD + OUTPUT_PUSD


async def test_a_chain_of_our_own_is_held_at_its_length() -> None:
    fields: dict[str, Any] = {"previous_response_id": "resp_1", "max_output_tokens": 1}
    hold = await admitted(chains=KnownChains(resp_1=5_000), **fields)
    input_tokens = len(body(**fields)) + OVERHEAD_TOKENS + 5_000
    assert hold.hold_pusd == input_tokens * INPUT_PUSD + OUTPUT_PUSD


async def test_how_long_a_chain_took_to_find_is_told() -> None:
    class Slow:
        async def tokens(self, response_id: str, **_: str) -> int | None:
            await asyncio.sleep(2 * READ_SECONDS_MAX)
            return None

    permit = await permitted(chains=Slow(), previous_response_id="resp_1")
    assert permit.terms.asked_seconds == READ_SECONDS_MAX


async def test_a_request_that_may_cut_its_history_says_so() -> None:
    assert (await admitted(truncation="auto")).tags == {CUT_TAG: "true"}


async def test_what_has_no_bound_says_what_would_give_it_one() -> None:
    assert (await permitted()).terms.unbounded is None
    tools = [{"type": "web_search"}]
    card = price(tool_fees_pusd={"web_search": 1})
    said = (await permitted(card=card, tools=tools)).terms.unbounded
    assert said is not None
    assert "send 'max_tool_calls'" in said
    allowed = await permitted(card=card, tools=tools, policy=Policy(unbounded="allow"))
    assert allowed.terms.unbounded is None
    unpriced = await permitted(model="gpt-new", is_unpriced_allowed=True)
    assert "no price" in (unpriced.terms.unbounded or "")
    assert not unpriced.decision.fits_output


async def test_output_is_lowered_to_what_is_left() -> None:
    permit = await permitted(policy=Policy(fit="clamp"), max_output_tokens=1000)
    fitted = permit.fitted(permit.hold.hold_pusd - 500 * OUTPUT_PUSD)
    assert fitted is not None
    sent = json.loads(fitted.body)["max_output_tokens"]
    assert 480 < sent <= 502  # the body may be shorter by a digit
    assert fitted.hold.hold_pusd <= permit.hold.hold_pusd - 500 * OUTPUT_PUSD
    told = f"max_output_tokens={sent} (was 1000)"
    assert fitted.hold.tags == {"gw_policy": told, "gw_fitted": "true"}
    assert permit.fitted(0) is None


async def test_what_both_policy_and_budget_lowered_is_told_once() -> None:
    policy = Policy(fit="clamp", max_output_tokens_cap=800)
    permit = await permitted(policy=policy, max_output_tokens=1000)
    fitted = permit.fitted(permit.hold.hold_pusd - 500 * OUTPUT_PUSD)
    assert fitted is not None
    (change,) = fitted.changes
    assert (change.field, change.was) == ("max_output_tokens", 1000)


async def test_the_upstreams_own_count_bounds_the_input() -> None:
    permit = await permitted(max_output_tokens=1000)
    assert permit.counted(7).hold.hold_pusd == 7 * INPUT_PUSD + 1000 * OUTPUT_PUSD
    assert permit.counted(7).body == permit.body


async def test_hosted_tools_are_held_with_their_fees() -> None:
    card = price(tool_fees_pusd={"web_search": 10_000_000_000})
    tools = [{"type": "web_search"}]
    fields: dict[str, Any] = {"tools": tools, "max_tool_calls": 3, "max_output_tokens": 1}
    strict = await admitted(card=card, **fields)
    assert strict.hold_pusd == 4 * 400_000 * INPUT_PUSD + OUTPUT_PUSD + 3 * 10_000_000_000
    allowed = await admitted(card=card, policy=Policy(unbounded="allow"), **fields)
    assert allowed.hold_pusd < strict.hold_pusd


async def test_without_a_limit_the_models_own_is_held() -> None:
    assert (await admitted()).hold_pusd > CARD.output_tokens_max * OUTPUT_PUSD


async def test_a_card_that_is_not_in_force_is_no_price() -> None:
    with pytest.raises(Unpriced):
        await admitted(card=price(effective_from_us=2**60))
    with pytest.raises(Unpriced):
        await admitted(card=price(effective_to_us=1))


async def test_what_has_no_price_is_held_at_nothing_known() -> None:
    hold = await admitted(model="gpt-new", is_unpriced_allowed=True)
    assert (hold.model, hold.hold_pusd, hold.price) == ("gpt-new", 0, None)


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"model": "gpt-new"}, Unpriced),
        ({"model": 5}, InvalidRequest),
    ],
)
async def test_what_is_not_admitted_has_no_hold(
    fields: dict[str, Any], refusal: type[InvalidRequest]
) -> None:
    with pytest.raises(refusal):
        await admitted(**fields)


async def test_a_body_that_no_policy_changed_goes_on_byte_for_byte() -> None:
    permit = await permitted(policy=Policy(max_output_tokens_cap=100), max_output_tokens=100)
    assert (permit.body, permit.changes) == (body(max_output_tokens=100), ())
    assert permit.hold.tags == {}


async def test_a_change_is_sent_held_and_told() -> None:
    permit = await permitted(policy=Policy(max_output_tokens_cap=100), max_output_tokens=200)
    assert json.loads(permit.body) == json.loads(body(max_output_tokens=100))
    input_tokens = len(permit.body) + OVERHEAD_TOKENS
    assert permit.hold.hold_pusd == input_tokens * INPUT_PUSD + 100 * OUTPUT_PUSD
    assert permit.hold.tags == {"gw_policy": "max_output_tokens=100 (was 200)"}


async def test_an_alias_is_priced_as_its_model() -> None:
    permit = await permitted(policy=Policy(aliases={"fast": "gpt-test"}), model="fast")
    assert (permit.hold.model, permit.hold.price) == ("gpt-test", CARD)


@pytest.mark.parametrize(
    ("by_setting", "by_policy", "is_allowed"),
    [
        (False, None, False),
        (True, None, True),
        (False, "allow", True),
        (True, "deny", False),
    ],
)
async def test_the_policy_stands_over_the_setting(
    by_setting: bool, by_policy: Any, is_allowed: bool
) -> None:
    asked = permitted(
        model="gpt-new", is_unpriced_allowed=by_setting, policy=Policy(unpriced=by_policy)
    )
    if is_allowed:
        assert (await asked).hold.price is None
    else:
        with pytest.raises(Unpriced):
            await asked


async def test_manners_are_told_to_who_sends() -> None:
    plain = await permitted()
    assert (plain.decision.fits_output, plain.counts_input) == (False, False)
    policy = Policy(fit="clamp", input_count="upstream", concurrent_max=3)
    told = await permitted(policy=policy)
    assert told.decision.policy == policy
    assert (told.decision.fits_output, told.counts_input) == (True, True)
    assert told.terms.concurrency == (ConcurrencyLimit(subject="acme", open_max=3),)


@pytest.mark.parametrize(
    ("store", "policy", "is_stored"),
    [
        ({}, SILENT, True),
        ({"store": True}, SILENT, True),
        ({"store": False}, SILENT, False),
        ({}, Policy(store="deny"), False),
    ],
)
async def test_a_hold_knows_whether_its_response_can_be_asked_for(
    store: dict[str, Any], policy: Policy, *, is_stored: bool
) -> None:
    assert (await permitted(policy=policy, **store)).hold.is_stored is is_stored


async def test_what_a_client_says_of_its_request_is_kept_with_the_hold() -> None:
    headers, metadata = [(b"x-client-request-id", b"mine")], {"team": "a", "run": "1"}
    hold = await admitted(headers=headers, metadata=metadata)
    assert hold.tags == {CLIENT_REQUEST_TAG: "mine", "team": "a"}
    assert (await admitted()).tags == {}


async def test_a_minute_counts_what_would_be_sent() -> None:
    minutes = NoMinutes()
    policy = Policy(requests_per_minute_max=2)
    await permitted(minutes=minutes, policy=policy)
    with pytest.raises(InvalidRequest):
        await permitted(minutes=minutes, policy=policy, model=1)
    assert minutes.asked == [((Level(subject="acme", policy=policy),), "k00000000001")]
