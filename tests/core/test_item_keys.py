"""Hashes of items: a tenant's own, on a few shelves for as long as the upstream keeps them."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.item_keys import (
    HASH_BYTES,
    PERIOD_US,
    PERIODS_KEPT,
    each,
    is_among,
    item_hashes,
    oldest_shelf,
    shelf,
    shelves,
)
from tests.builders import AT_US

HASHES = st.lists(st.binary(min_size=HASH_BYTES, max_size=HASH_BYTES), max_size=6)
# Few different bytes, so that a hash is often met across two others.
ALIKE = st.lists(st.text("ab", min_size=6, max_size=6).map(str.encode), max_size=6)


def across(some: list[bytes]) -> bytes:
    return b"".join(some)[1:7]


@given(st.integers(0, 30 * 86_400_000_000), st.integers(AT_US, 2 * AT_US), st.text())
def test_an_item_is_searched_for_thirty_days(age_us: int, now_us: int, name: str) -> None:
    one = item_hashes("acme", [name])
    place = shelf((now_us - age_us) // PERIOD_US, one)
    assert place in shelves(now_us, one)
    assert oldest_shelf(now_us) <= place < 2**63


def test_what_is_older_is_searched_no_more() -> None:
    one = item_hashes("acme", ["msg_1"])
    later_us = AT_US + (PERIODS_KEPT + 1) * PERIOD_US
    assert shelf(AT_US // PERIOD_US, one) not in shelves(later_us, one)
    assert shelf(AT_US // PERIOD_US, b"\xff" * HASH_BYTES) < oldest_shelf(later_us)


@given(
    HASHES | ALIKE, st.binary(min_size=6, max_size=6) | ALIKE.map(lambda some: b"".join(some)[1:7])
)
def test_one_is_among_others_where_it_stands_by_itself(some: list[bytes], one: bytes) -> None:
    assert list(each(b"".join(some))) == some
    if len(one) == HASH_BYTES:
        assert is_among(one, b"".join(some)) == (one in some)
    assert all(is_among(known, b"".join(some)) for known in some)


def test_another_tenant_has_other_hashes() -> None:
    tenants = ("acme", "acme/a", "acme/b")
    found = [item_hashes(tenant, ["msg_1", "msg_2"]) for tenant in tenants]
    assert len({one for hashes in found for one in each(hashes)}) == 6


def test_any_text_has_a_hash() -> None:
    assert len(item_hashes("acme", ["\ud800", "\0", "", "é" * 9999])) == 4 * HASH_BYTES
