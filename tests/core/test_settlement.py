"""Every rule of what an observed response comes to; above all, what is unknown is never free."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.exchange import Basis, Outcome
from gateway.core.observer import Observation
from gateway.core.price_book import PriceBook
from gateway.core.settlement import Settlement, nothing_used, settlement, worst_case
from gateway.core.tool_use import ToolUse
from gateway.core.usage import Usage
from tests.builders import hold, price, usage

CARD = price()
LATER_CARD = price(version="later")
OTHER_CARD = price(name="gpt-other")
BOOK = PriceBook(
    version="later",
    cards={"gpt-test": (LATER_CARD,), "gpt-other": (OTHER_CARD,)},
)
HOLD = hold(price=CARD)
UNPRICED_HOLD = hold(price=None, hold_pusd=0)
HELD_PUSD = HOLD.hold_pusd

COMPLETED = "response.completed"
INCOMPLETE = "response.incomplete"
FAILED = "response.failed"
CANCELLED = "response.cancelled"


def settled(*, held: Any = HOLD, status: int = 200, **seen: Any) -> Settlement:
    given = {"terminal": COMPLETED, "model": "gpt-test", "service_tier": "default"}
    return settlement(held, Observation(**{**given, **seen}), status=status, book=BOOK)


@pytest.mark.parametrize(
    ("seen", "outcome", "basis", "cost_pusd", "problem"),
    [
        # Reported usage is what it costs, whatever the outcome.
        ({"usage": usage()}, "completed", "reported", 360_000_000, None),
        ({"terminal": INCOMPLETE, "usage": usage()}, "incomplete", "reported", 360_000_000, None),
        ({"terminal": FAILED, "usage": usage()}, "failed", "reported", 360_000_000, None),
        ({"terminal": CANCELLED, "usage": usage()}, "cancelled", "reported", 360_000_000, None),
        # No terminal event: the truth is not to be had.
        ({"terminal": None}, "aborted", "worst_case", HELD_PUSD, None),
        ({"terminal": None, "usage": usage()}, "aborted", "worst_case", HELD_PUSD, None),
        (
            {"terminal": None, "problem": "encoding_unknown"},
            "aborted", "worst_case", HELD_PUSD, "encoding_unknown",
        ),
        # A terminal event that could not be read whole.
        (
            {"problem": "usage_invalid"},
            "completed", "worst_case", HELD_PUSD, "usage_invalid",
        ),
        # No usage: nothing was used only where it failed before any output.
        ({"terminal": FAILED}, "failed", "none", 0, None),
        (
            {"terminal": FAILED, "has_output": True},
            "failed", "worst_case", HELD_PUSD, "usage_missing",
        ),
        ({"terminal": CANCELLED}, "cancelled", "worst_case", HELD_PUSD, "usage_missing"),
        ({}, "completed", "worst_case", HELD_PUSD, "usage_missing"),
        ({"terminal": INCOMPLETE}, "incomplete", "worst_case", HELD_PUSD, "usage_missing"),
        # Zeros beside output.
        (
            {"usage": usage(input_tokens=0, output_tokens=0), "is_suspect": True},
            "completed", "worst_case", HELD_PUSD, "usage_suspect",
        ),
        (
            {"usage": usage(output_tokens=0), "is_suspect": True},
            "completed", "reported", 200_000_000, "usage_suspect",
        ),
        (
            {"usage": usage(input_tokens=0), "is_suspect": True},
            "completed", "reported", 160_000_000, "usage_suspect",
        ),
        ({"usage": usage(input_tokens=0, output_tokens=0)}, "completed", "reported", 0, None),
        # What has no price has no cost.
        (
            {"usage": usage(), "service_tier": "priority"},
            "completed", "reported", None, "tier_unpriced",
        ),
        (
            {"usage": usage(), "tools": ToolUse(items={"new_call": 1}), "is_suspect": True},
            "completed", "reported", None, "meter_unpriced",
        ),
        ({"usage": usage(), "model": "gpt-unknown"}, "completed", "reported", None,
         "model_unpriced"),
    ],
)  # fmt: skip
def test_every_rule(
    seen: dict[str, Any], outcome: str, basis: str, cost_pusd: int | None, problem: str | None
) -> None:
    result = settled(**seen)
    assert (result.outcome, result.basis) == (Outcome(outcome), Basis(basis))
    assert (result.cost_pusd, result.problem) == (cost_pusd, problem)


@pytest.mark.parametrize("status", [500, 502, 504, 520, 524])
def test_what_a_proxy_on_the_way_says_tells_nothing_of_the_upstream(status: int) -> None:
    found = settled(status=status, problem="content_type_unknown")
    assert (found.outcome, found.basis, found.cost_pusd) == (
        Outcome.FAILED, Basis.WORST_CASE, HELD_PUSD,
    )  # fmt: skip
    assert settled(status=status, reason="server_error").cost_pusd == 0


@pytest.mark.parametrize("status", [100, 199, 300, 304, 400, 429, 503])
def test_an_answer_that_is_no_success_used_nothing(status: int) -> None:
    assert settled(status=status, terminal=None, problem="body_unreadable") == nothing_used()
    assert nothing_used() == Settlement(outcome=Outcome.FAILED, basis=Basis.NONE, cost_pusd=0)


@pytest.mark.parametrize("status", [200, 201, 299])
def test_every_success_is_looked_at(status: int) -> None:
    assert settled(status=status, usage=usage()).basis is Basis.REPORTED


def test_the_worst_case_of_what_has_no_price_is_unknown() -> None:
    result = worst_case(UNPRICED_HOLD, Outcome.ABORTED, "why")
    assert (result.cost_pusd, result.basis, result.problem) == (None, Basis.WORST_CASE, "why")


def test_lines_stay_beside_a_cost_that_is_unknown() -> None:
    result = settled(usage=usage(), tools=ToolUse(items={"new_call": 1}))
    assert result.cost_pusd is None
    assert [line.meter for line in result.lines] == ["input", "output"]


@pytest.mark.parametrize("served", [None, "gpt-test", "gpt-test-2026-01-01"])
def test_the_card_of_the_hold_stands_for_its_model(served: str | None) -> None:
    dearer = price(tiers={"default": OTHER_CARD.tiers["default"]}, version="pinned")
    assert settled(held=hold(price=dearer), model=served, usage=usage()).cost_pusd == 360_000_000
    without = PriceBook(version="empty", cards={"gpt-test": ()})
    seen = Observation(terminal=COMPLETED, model="gpt-test", usage=usage())
    assert settlement(HOLD, seen, status=200, book=without).cost_pusd == 360_000_000


def test_a_snapshot_has_its_models_pinned_card_and_not_todays() -> None:
    free = price(tool_fees_pusd={"web_search": 7})
    seen: dict[str, Any] = {"usage": usage(), "tools": ToolUse(web_searches=1)}
    result = settled(held=hold(price=free), model="gpt-test-2026-01-01", **seen)
    assert result.cost_pusd == 360_000_007


def test_another_model_that_answered_has_its_own_price() -> None:
    free = price(tool_fees_pusd={"web_search": 7})
    seen: dict[str, Any] = {"usage": usage(), "tools": ToolUse(web_searches=1)}
    assert settled(held=hold(price=free), model="gpt-other", **seen).cost_pusd is None


def test_what_had_no_price_may_be_served_by_what_has_one() -> None:
    assert settled(held=UNPRICED_HOLD, model="gpt-other", usage=usage()).cost_pusd == 360_000_000
    assert settled(held=UNPRICED_HOLD, model="gpt-test", usage=usage()).cost_pusd is None


COUNTS = st.integers(min_value=0, max_value=5)
OBSERVATIONS = st.builds(
    Observation,
    terminal=st.sampled_from([None, COMPLETED, INCOMPLETE, FAILED, CANCELLED, "other"]),
    model=st.sampled_from([None, "gpt-test", "gpt-other", "gpt-unknown", "gpt-test-2026-01-01"]),
    service_tier=st.sampled_from([None, "auto", "default", "priority", "new"]),
    usage=st.none() | st.builds(Usage, input_tokens=COUNTS, output_tokens=COUNTS),
    tools=st.builds(
        ToolUse,
        web_searches=COUNTS,
        items=st.dictionaries(st.sampled_from(["message", "new_call"]), COUNTS, max_size=2),
    ),
    has_output=st.booleans(),
    is_suspect=st.booleans(),
    problem=st.sampled_from([None, "usage_invalid", "body_unreadable"]),
)


@settings(deadline=None)
@given(OBSERVATIONS, st.sampled_from([200, 204, 404]), st.sampled_from([HOLD, UNPRICED_HOLD]))
def test_what_is_unknown_is_never_free(seen: Observation, status: int, held: Any) -> None:
    result = settlement(held, seen, status=status, book=BOOK)
    assert result.cost_pusd is None or result.cost_pusd >= 0
    if result.cost_pusd != 0:
        return
    if result.basis is Basis.NONE:
        assert status == 404 or (seen.terminal == FAILED and not seen.has_output)
    else:
        assert result.basis is Basis.REPORTED
        assert seen.usage == Usage(input_tokens=0, output_tokens=0)
        assert not seen.is_suspect
        assert seen.tools.web_searches == 0
