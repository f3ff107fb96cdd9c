"""Whole picodollars (10⁻¹² USD) in Python ints. Not here: prices, or what they multiply.

Floats never touch money: a price is a decimal string until it is an int, a cost is an int until
it is a decimal string again.
"""

import re
from fractions import Fraction
from math import ceil

PUSD_PER_USD = 10**12
PUSD_MAX = 2**63 - 1  # what a BIGINT column holds

_ONE = Fraction(1)
_DECIMAL = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,40})?", re.ASCII)


def to_usd(cost_pusd: int) -> str:
    """Picodollars as a decimal string of USD with 12 decimals: `5400000000` is `0.005400000000`."""
    sign, whole = ("-", -cost_pusd) if cost_pusd < 0 else ("", cost_pusd)
    return f"{sign}{whole // PUSD_PER_USD}.{whole % PUSD_PER_USD:012d}"


def pusd_per_unit(usd: str, *, units: int, times: Fraction = _ONE) -> tuple[int, bool]:
    """A price of `usd` dollars for `units` units, multiplied, as picodollars for one.

    Returns the price and whether it had to be rounded up to be whole.
    Raises ValueError when `usd` is no plain decimal number, or is negative.
    """
    if not _DECIMAL.fullmatch(usd):
        raise ValueError(f"{usd!r} is not a decimal number of USD")
    exact = Fraction(usd) * times * PUSD_PER_USD / units
    if exact < 0:
        raise ValueError(f"{usd!r} is not an amount of USD: it must be zero or more")
    whole = ceil(exact)
    return whole, whole != exact


def pusd_from_usd(usd: str) -> int:
    """An amount of USD, exactly. ValueError: it is none, or is finer than a picodollar."""
    pusd, is_rounded = pusd_per_unit(usd, units=1)
    if is_rounded:
        raise ValueError(f"{usd!r} has more than 12 decimals")
    return pusd
