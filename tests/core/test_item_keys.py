"""Keys of items: a tenant's own, found while the upstream keeps them, then below the edge."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.item_keys import PERIOD_US, PERIODS_KEPT, item_keys, kept_keys, oldest_key
from tests.builders import AT_US

DAY_US = 86_400_000_000


@given(
    st.integers(min_value=0, max_value=30 * DAY_US),
    st.integers(min_value=AT_US, max_value=2 * AT_US),
)
def test_an_item_is_found_for_thirty_days(age_us: int, now_us: int) -> None:
    (key,) = item_keys("acme", ["msg_1"], now_us - age_us)
    assert kept_keys("acme", ["msg_0", "msg_1"], now_us)[key] == "msg_1"
    assert oldest_key(now_us) <= key < 2**63


def test_what_is_older_is_below_the_edge() -> None:
    (key,) = item_keys("acme", ["msg_1"], AT_US)
    later_us = AT_US + PERIODS_KEPT * PERIOD_US
    assert key < oldest_key(later_us)
    assert key not in kept_keys("acme", ["msg_1"], later_us)


def test_another_tenant_has_other_keys() -> None:
    keys = [item_keys(tenant, ["msg_1", "msg_2"], AT_US) for tenant in ("acme", "acme/a", "acme/b")]
    assert len({key for one in keys for key in one}) == 6
    assert all(one == sorted(one) for one in keys)


def test_any_text_has_a_key() -> None:
    assert len(item_keys("acme", ["\ud800", "\0", "", "é" * 9999], AT_US)) == 4
