"""By what it is remembered whose items were whose: six bytes of a hash each. Not here: keeping it.

A short hash is enough: what a tenant names by guessing is found to be its own once in 2⁴⁸ guesses
for each item that is kept. Hashes are gathered on *shelves*, one for each period and first byte, so
that a search reads a few shelves and not all.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b

PERIOD_US = 6 * 3_600 * 1_000_000
PERIODS_KEPT = 4 * 31  # the upstream keeps items for 30 days
HASH_BYTES = 6


def item_hashes(tenant: str, ids: Iterable[str]) -> bytes:
    """The hashes of a tenant's items, one behind the other."""
    begun, hashes = _begun(tenant), b""
    for one in ids:
        hasher = begun.copy()
        hasher.update(one.encode("utf-8", "surrogatepass"))
        hashes += hasher.digest()
    return hashes


def each(hashes: bytes) -> Iterator[bytes]:
    """The hashes one by one."""
    return (hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES))


def is_among(one: bytes, hashes: bytes) -> bool:
    """Whether a hash is one of those."""
    at = hashes.find(one)
    while at > 0 and at % HASH_BYTES:  # across two of them
        at = hashes.find(one, at + 1)
    return at >= 0


def shelf(period: int, one: bytes) -> int:
    """The number of the shelf for a hash that was met in a period; periods since 1970."""
    return period << 8 | one[0]


def shelves(now_us: int, one: bytes) -> list[int]:
    """Where a hash may be by now."""
    newest = now_us // PERIOD_US + 1  # clocks may differ
    return [shelf(newest - back, one) for back in range(PERIODS_KEPT + 2)]


def oldest_shelf(now_us: int) -> int:
    """Below this nothing is searched any more."""
    return shelf(now_us // PERIOD_US - PERIODS_KEPT, b"\0")


@lru_cache(maxsize=4096)
def _begun(tenant: str) -> blake2b:
    """A hash that has seen the tenant: no path holds a NUL, so none begins as another goes on."""
    return blake2b(tenant.encode() + b"\0", digest_size=HASH_BYTES)
