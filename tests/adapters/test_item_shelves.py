"""Items are found in the log and on shelves, and nowhere else; both are emptied in time."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import Engine, func, select

from gateway.adapters import item_shelves as module
from gateway.adapters import schema
from gateway.adapters.item_shelves import (
    clear_shelves,
    find_items,
    keep_items,
    keep_shelves,
    put_on_shelves,
)
from gateway.core.item_keys import PERIOD_US, oldest_shelf
from tests.builders import AT_US

ITEMS = [f"msg_{number}" for number in range(50)]


def found(engine: Engine, ids: Sequence[str] = ITEMS, tenant: str = "acme") -> set[str]:
    with engine.connect() as connection:
        return find_items(connection, ids, tenant, AT_US)


def rows(engine: Engine) -> tuple[int, int]:
    """Of the log, and shelves."""
    with engine.connect() as connection:
        log, shelves = (
            connection.scalar(select(func.count()).select_from(table))
            for table in (schema.item_log, schema.item_shelf)
        )
    return log or 0, shelves or 0


@pytest.mark.parametrize("sought_max", [8, 1_000], ids=["looked up", "searched"])
def test_wherever_they_are(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, sought_max: int
) -> None:
    monkeypatch.setattr(module, "SOUGHT_MAX", sought_max)
    monkeypatch.setattr(module, "SHELVED_MAX", 2)
    monkeypatch.setattr(module, "SEARCHED_MAX", 20)
    for period in range(5):
        keep_items(
            engine, ITEMS[10 * period : 10 * period + 10], "acme", AT_US - period * PERIOD_US
        )
    assert rows(engine) == (5, 0)
    assert found(engine) == set(ITEMS)
    put_on_shelves(engine)
    assert rows(engine)[0] == 0
    keep_items(engine, [*ITEMS[:20], "msg_new"], "acme", AT_US)
    assert found(engine, [*ITEMS, "msg_new", "msg_50"]) == {*ITEMS, "msg_new"}
    assert found(engine, tenant="acme/search") == found(engine, []) == set()
    put_on_shelves(engine)  # beside those that are there
    assert found(engine, [*ITEMS, "msg_new"]) == {*ITEMS, "msg_new"}


def test_what_comes_later_stands_beside_what_is_there(engine: Engine) -> None:
    many = [f"fc_{number}" for number in range(1_000)]  # so that shelves hold several
    for part in (many[:500], many[500:]):
        keep_items(engine, part, "acme", AT_US)
        put_on_shelves(engine)
    assert found(engine, many) == set(many)
    assert rows(engine)[1] <= 256


def test_old_shelves_are_cleared_and_newer_are_not(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHELVED_MAX", 2)
    keep_items(engine, ITEMS[:5], "acme", AT_US - 160 * PERIOD_US)
    keep_items(engine, ITEMS[5:], "acme", AT_US)
    put_on_shelves(engine)
    before = rows(engine)[1]
    clear_shelves(engine, oldest_shelf(AT_US))
    assert rows(engine) == (0, before - 5)
    assert found(engine) == set(ITEMS[5:])


async def test_it_goes_on_when_it_failed(engine: Engine) -> None:
    asked = 0

    def now_us() -> int:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise OSError
        if asked == 3:
            raise asyncio.CancelledError
        keep_items(engine, ITEMS, "acme", AT_US)
        return AT_US

    with pytest.raises(asyncio.CancelledError):
        await keep_shelves(engine, now_us, pause_seconds=0)
    assert rows(engine)[0] == 0
    assert found(engine) == set(ITEMS)
