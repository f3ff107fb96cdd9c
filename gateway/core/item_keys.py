"""Under what it is kept whose items were whose: one short number an item. Not here: keeping it.

A key is a hash behind the number of its period. Another tenant's item passes for a tenant's own
once in some hundred thousand million guesses at most; what is old is deleted from one end.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b

# The upstream keeps items for 30 days: what is asked for are the running period and three before.
PERIOD_US = 10 * 86_400 * 1_000_000
PERIODS_KEPT = 4
_HASH_BYTES = 6
_HASH_BITS = 8 * _HASH_BYTES


def item_keys(tenant: str, ids: Iterable[str], at_us: int) -> list[int]:
    """The keys of items that a tenant was answered with at a moment; sorted."""
    period = at_us // PERIOD_US << _HASH_BITS
    return sorted({period | one for one in _hashes(tenant, ids)})


def kept_keys(tenant: str, ids: Sequence[str], now_us: int) -> dict[int, str]:
    """Every key under which these items may be kept by now, with its item."""
    newest = now_us // PERIOD_US
    return {
        period << _HASH_BITS | one: name
        for one, name in zip(_hashes(tenant, ids), ids, strict=True)
        for period in range(newest - PERIODS_KEPT + 1, newest + 1)
    }


def oldest_key(now_us: int) -> int:
    """Below this are only keys that are no longer asked for."""
    return (now_us // PERIOD_US - PERIODS_KEPT + 1) << _HASH_BITS


def _hashes(tenant: str, ids: Iterable[str]) -> list[int]:
    owner = blake2b(tenant.encode(), digest_size=16).digest()
    return [
        int.from_bytes(
            blake2b(
                one.encode("utf-8", "surrogatepass"), key=owner, digest_size=_HASH_BYTES
            ).digest(),
            "big",
        )
        for one in ids
    ]
