"""Money: decimal strings in, whole picodollars, decimal strings out."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.money import PUSD_PER_USD, pusd_from_usd, pusd_per_unit, to_usd


@pytest.mark.parametrize(
    ("cost_pusd", "usd"),
    [
        (0, "0.000000000000"),
        (1, "0.000000000001"),
        (5_400_000_000, "0.005400000000"),
        (PUSD_PER_USD, "1.000000000000"),
        (-1, "-0.000000000001"),
    ],
)
def test_shows_twelve_decimals(cost_pusd: int, usd: str) -> None:
    assert to_usd(cost_pusd) == usd


@given(st.integers(-(2**63), 2**63))
def test_shows_the_whole_amount(cost_pusd: int) -> None:
    assert Decimal(to_usd(cost_pusd)) * PUSD_PER_USD == cost_pusd


@pytest.mark.parametrize(
    ("usd", "units", "pusd"),
    [("2.50", 10**6, 2_500_000), ("0.0025", 10**6, 2_500), ("10", 1_000, 10**10), ("0", 1, 0)],
)
def test_prices_a_unit_exactly(usd: str, units: int, pusd: int) -> None:
    assert pusd_per_unit(usd, units=units) == (pusd, False)


def test_rounds_up_what_is_not_whole() -> None:
    assert pusd_per_unit("0.0000001", units=10**6) == (1, True)
    assert pusd_per_unit("1." + "0" * 39 + "1", units=1) == (PUSD_PER_USD + 1, True)


@pytest.mark.parametrize(
    "usd", ["", "free", "NaN", "Infinity", "1e3", "1_000", " 1", "1,5", "٣", "-1"]
)
def test_refuses_what_is_no_price(usd: str) -> None:
    with pytest.raises(ValueError, match="is not a"):
        pusd_per_unit(usd, units=1)


@given(st.integers(0, 10**19))
def test_reads_back_what_it_shows(pusd: int) -> None:
    assert pusd_from_usd(to_usd(pusd)) == pusd


@pytest.mark.parametrize(
    ("usd", "words"),
    [("0.0000000000001", "more than 12 decimals"), ("-1", "zero or more"), ("ten", "is not a")],
)
def test_refuses_an_amount_that_is_not_exact(usd: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        pusd_from_usd(usd)
