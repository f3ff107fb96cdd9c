"""Browsing: every entry that is wanted, once, newest first, whatever the filters; bounded pages."""

from typing import Any

import pytest
from sqlalchemy import Engine

from gateway.adapters import browse as module
from gateway.adapters.browse import BROKEN, UNPRICED, Place, Wanted, browse, nth_newest_us
from gateway.adapters.directory import Directory
from gateway.adapters.ledger import Ledger
from gateway.core.exchange import Basis, Outcome
from tests import builders
from tests.builders import AT_US

TENANTS = ("acme", "acme/search", "acme/support", "globex")
OUTCOMES = (Outcome.COMPLETED, Outcome.FAILED, Outcome.ABORTED, Outcome.INCOMPLETE)


async def fill(ledger: Ledger, engine: Engine) -> None:
    """Forty entries, some at the same moment, of all tenants, outcomes and models in turn."""
    directory = Directory(engine=engine, now_us=lambda: AT_US)
    for path in TENANTS:
        directory.create_tenant(path)
    for number in range(40):
        hold = builders.hold(
            request_id=f"r{number:02d}",
            created_at_us=AT_US + number // 2,
            tenant=TENANTS[number % 4],
            key_id=f"key-{number % 3}",
            model=f"model-{number % 5}",
        )
        outcome = OUTCOMES[number % 7 % 4]
        is_unpriced = number % 10 == 9
        await ledger.settle(
            builders.exchange(
                hold=hold,
                outcome=outcome,
                basis=Basis.REPORTED,
                cost_pusd=None if is_unpriced else 5,
                model=f"served-{number % 5}",
            )
        )


def all_of(engine: Engine, wanted: Wanted, limit: int, looked_at: int = 20_000) -> list[str]:
    """Page by page to the end."""
    found: list[str] = []
    place: Place | None = None
    for _ in range(200):
        page = browse(engine, wanted, limit=limit, before=place, looked_at_max=looked_at)
        assert len(page.rows) <= limit
        found += [row.request_id for row in page.rows]
        if page.after is None:
            return found
        place = page.after
    raise AssertionError("it does not end")


FILTERS: list[tuple[Wanted, Any]] = [
    (Wanted(), lambda n: True),
    (Wanted(tenant="acme"), lambda n: n % 4 != 3),
    (Wanted(tenant="acme/search"), lambda n: n % 4 == 1),
    (Wanted(tenant="nobody"), lambda n: False),
    (Wanted(key_id="key-1"), lambda n: n % 3 == 1),
    (Wanted(model="model-2"), lambda n: n % 5 == 2),
    (Wanted(model="served-2"), lambda n: n % 5 == 2),
    (Wanted(outcome="failed"), lambda n: n % 7 % 4 == 1),
    (Wanted(outcome=BROKEN), lambda n: n % 7 % 4 in (1, 2)),
    (Wanted(outcome=UNPRICED), lambda n: n % 10 == 9),
    (Wanted(since_us=AT_US + 5, until_us=AT_US + 9), lambda n: 5 <= n // 2 < 9),
    (Wanted(tenant="acme", key_id="key-1", outcome="completed"),
     lambda n: n % 4 != 3 and n % 3 == 1 and n % 7 % 4 == 0),
]  # fmt: skip


@pytest.mark.parametrize(("limit", "looked_at"), [(7, 4), (3, 20_000), (100, 20_000)])
async def test_every_page_follows_the_last(
    ledger: Ledger, engine: Engine, limit: int, looked_at: int
) -> None:
    await fill(ledger, engine)
    for wanted, is_wanted in FILTERS:
        meant = [f"r{number:02d}" for number in range(39, -1, -1) if is_wanted(number)]
        assert all_of(engine, wanted, limit, looked_at) == meant, wanted


async def test_what_is_rare_is_told_not_to_be_found_yet(ledger: Ledger, engine: Engine) -> None:
    await fill(ledger, engine)
    page = browse(engine, Wanted(until_us=AT_US + 3, model="model-0"), limit=5, looked_at_max=8)
    assert ([row.request_id for row in page.rows], page.is_whole) == (["r05", "r00"], True)
    page = browse(engine, Wanted(model="model-x"), limit=5, looked_at_max=8)
    assert (page.rows, page.is_whole, page.after is not None) == ([], False, True)


async def test_of_many_tenants_all_entries_are_looked_at(
    ledger: Ledger, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TENANTS_MAX", 2)
    await fill(ledger, engine)
    found = all_of(engine, Wanted(tenant="acme"), 9)
    assert found == [f"r{number:02d}" for number in range(39, -1, -1) if number % 4 != 3]


async def test_the_nth_newest(ledger: Ledger, engine: Engine) -> None:
    await fill(ledger, engine)
    assert nth_newest_us(engine, Wanted(), 10) == AT_US + 14
    assert nth_newest_us(engine, Wanted(tenant="globex"), 10) is None
    assert nth_newest_us(engine, Wanted(tenant="globex"), 2) == AT_US + 15
