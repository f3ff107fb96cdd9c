"""The dearest prices that a tier can come to, as asked and as it may be served."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.pricefile import load_prices
from gateway.core.dearest import reachable
from gateway.core.prices import ModelPrice, Rates, TierRates
from tests.builders import price

BOOK = load_prices()
NOW_US = 1_795_305_600_000_000  # 2026-11-22
SHORT, LONG = False, True


def card(name: str) -> ModelPrice:
    found = BOOK.find(name, NOW_US)
    assert found is not None
    return found


def tiers(name: str, asked: str | None, is_long: bool) -> list[tuple[str, bool, int, int]]:
    found = reachable(card(name), asked, False, is_long)
    assert found.unpriced == ()
    return [(p.service_tier, p.is_long_context, p.input_pusd, p.output_pusd) for p in found.prices]


@pytest.mark.parametrize(
    ("asked", "service_tier", "usd_per_million"),
    [
        (None, "ultrafast", 15),
        ("auto", "ultrafast", 15),
        ("default", "default", 2.5),
        ("flex", "default", 2.5),  # as the upstream may serve it so
        ("priority", "priority", 5),
        ("fast", "priority", 5),
        ("ultrafast", "ultrafast", 15),
    ],
)
def test_a_tier_is_served_as_asked_or_as_default(
    asked: str | None, service_tier: str, usd_per_million: float
) -> None:
    [(found, _, input_pusd, _)] = tiers("gpt-6.1-sol", asked, SHORT)
    assert (found, input_pusd) == (service_tier, usd_per_million * 10**6)


def test_a_long_context_has_its_row() -> None:
    assert tiers("gpt-6-sol", "default", LONG) == [("default", True, 5_000_000, 15_000_000)]
    assert tiers("gpt-6-sol", None, LONG) == [("priority", True, 10_000_000, 30_000_000)]


def test_only_who_asks_for_twelve_hours_pays_for_them() -> None:
    found = reachable(card("gpt-6-sol"), "default", True, SHORT)
    assert [one.input_pusd for one in found.prices] == [5_000_000]


@pytest.mark.parametrize(
    ("name", "asked", "is_long", "unpriced"),
    [
        ("gpt-6.2-sol", "flex", SHORT, ("flex",)),
        ("gpt-6-sol", "scale", SHORT, ("scale",)),
        ("gpt-6-sol", "", LONG, ("",)),
        ("gpt-5.5", None, SHORT, ()),
        ("gpt-5.5", None, LONG, ("priority",)),
        ("gpt-5.5", "default", LONG, ()),
        ("gpt-5.5", "flex", LONG, ()),
    ],
)
def test_a_tier_without_a_price_is_told(
    name: str, asked: str | None, is_long: bool, unpriced: tuple[str, ...]
) -> None:
    found = reachable(card(name), asked, False, is_long)
    assert found.unpriced == unpriced
    assert found.prices != ()


def test_batches_are_not_reached_by_a_request() -> None:
    rates = Rates(input=1, cached=None, cache_write=None, cache_write_12h=None, output=1)
    dear = Rates(input=9, cached=None, cache_write=None, cache_write_12h=None, output=9)
    one = price(
        tiers={
            "default": TierRates(short=rates, long=None),
            "batch": TierRates(short=dear, long=None),
        }
    )
    found = reachable(one, None, False, SHORT)
    assert [each.service_tier for each in found.prices] == ["default"]


_pusd = st.integers(0, 50)
_rates = st.builds(
    Rates,
    input=_pusd,
    cached=st.none() | _pusd,
    cache_write=st.none() | _pusd,
    cache_write_12h=st.none() | _pusd,
    output=_pusd,
)


@given(
    st.dictionaries(
        st.sampled_from(["flex", "priority", "ultrafast"]),
        st.builds(TierRates, short=_rates, long=_rates),
    ),
    st.builds(TierRates, short=_rates, long=_rates),
    st.integers(0, 1000),
    st.integers(0, 1000),
)
def test_what_is_left_out_is_never_the_dearest(
    others: dict[str, TierRates], default: TierRates, input_tokens: int, output_tokens: int
) -> None:
    one = price(name=repr((others, default)), tiers={"default": default, **others})
    found = reachable(one, None, True, LONG)
    rows = [row for tier in one.tiers.values() for row in (tier.short, tier.long) if row]
    dearest = max(_cost_pusd(row, input_tokens, output_tokens) for row in rows)
    assert max(p.cost_pusd(input_tokens, output_tokens) for p in found.prices) == dearest


def _cost_pusd(row: Rates, input_tokens: int, output_tokens: int) -> int:
    inputs = (row.input, row.cached, row.cache_write, row.cache_write_12h)
    return input_tokens * max(unit or 0 for unit in inputs) + output_tokens * (row.output or 0)
