"""The ledger board's SQL on real databases: it says what the entries say, to the picodollar.

The entries are posted through the ledger: priced and not, corrected later, of several tenants,
models, keys and days.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, RowMapping, text

from gateway.adapters import schema
from gateway.adapters.budgets import Budgets
from gateway.adapters.database import open_engine
from gateway.adapters.directory import Directory
from gateway.adapters.ledger import Ledger
from gateway.adapters.migrate import upgrade
from gateway.adapters.reports import EntryRow, entries, usage
from gateway.core.cost import CostLine
from gateway.core.exchange import Basis, Outcome
from tests import builders
from tests.builders import AT_US, price
from tests.deploy.boards import BOARDS, PANELS, sql, sqls
from tests.fakes import postgres

DAY_US = 86_400_000_000
TENANTS, MODELS = ("acme", "acme/a", "globex"), ("gpt-test", "gpt-other")
SQL = {
    title.removeprefix("ledger: "): panel for title, panel in PANELS.items() if "ledger: " in title
}
CACHED = (
    CostLine(meter="input", quantity=60, unit_price_pusd=2_000_000, cost_pusd=120_000_000),
    CostLine(meter="input_cached", quantity=40, unit_price_pusd=200_000, cost_pusd=8_000_000),
    CostLine(meter="output", quantity=3, unit_price_pusd=8_000_001, cost_pusd=24_000_003),
)
Rows = list[RowMapping]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    if request.param == "postgres":
        with postgres.database(is_empty=True) as url:
            opened = open_engine(url)
            upgrade(opened)
            yield opened
            opened.dispose()
        return
    opened = open_engine(f"sqlite:///{tmp_path_factory.mktemp('ledger')}/gateway.db")
    upgrade(opened)
    yield opened
    opened.dispose()


@pytest.fixture(scope="module")
def books(engine: Engine) -> list[EntryRow]:
    """What the ledger has, newest first."""
    directory = Directory(engine=engine, now_us=lambda: AT_US)
    for tenant in TENANTS:
        directory.create_tenant(tenant)
    given: Any = {"limit_pusd": 10**13, "is_hard": False}
    Budgets(engine=engine, now_us=lambda: AT_US).set_budget("acme", period="total", given=given)
    asyncio.run(post(engine))
    return entries(engine, limit=1000)


async def post(engine: Engine) -> None:
    """Three days of three tenants."""
    ledger = Ledger(engine=engine, owner_id="alive", now_us=lambda: AT_US)
    ledger.start()
    for number in range(24):
        held = builders.hold(
            request_id=f"r{number}",
            tenant=TENANTS[number % 3],
            key_id=f"k{number % 2}",
            created_at_us=AT_US - number * DAY_US // 8,
            price=price(name=MODELS[number % 2]),
        )
        await ledger.hold(held)
        await ledger.settle(builders.exchange(hold=held, lines=CACHED, cost_pusd=152_000_003))
    await not_exact(ledger)
    await ledger.aclose()


async def not_exact(ledger: Ledger) -> None:
    """One whose truth came later, and one that has no price."""
    held = builders.hold(request_id="late", tenant="acme", hold_pusd=10**12)
    await ledger.hold(held)
    fields = {"hold": held, "cost_pusd": 10**12, "lines": (), "outcome": Outcome.ABORTED}
    await ledger.settle(builders.exchange(**fields, basis=Basis.WORST_CASE))
    await ledger.settle(builders.exchange(hold=held, cost_pusd=7))
    held = builders.hold(request_id="unpriced", tenant="acme")
    await ledger.hold(held)
    await ledger.settle(builders.exchange(hold=held, cost_pusd=None, problem="meter_unpriced"))


def ask(source: Engine, title: str, **chosen: Any) -> Rows:
    with source.connect() as connection:
        return asked_of(connection, title, **chosen)


def asked_of(
    connection: Connection, title: str, *, days: float = 30, **chosen: tuple[str, ...]
) -> Rows:
    """A panel's answer for some days until now, with all chosen that is not said."""
    until = AT_US // 1_000_000
    everything = {"tenant": TENANTS, "model": MODELS} | chosen
    (statement,) = sqls(SQL[title])
    told = sql(statement, since=int(until - days * 86_400), until=until, chosen=everything)
    return list(connection.execute(text(told.replace(":", "\\:"))).mappings())


def usd(pusd: int) -> Decimal:
    return Decimal(pusd) / 10**12


def true_cost(entry: EntryRow) -> int:
    return (entry.cost_pusd or 0) + (entry.adjustment_pusd or 0)


def by(books: list[EntryRow], name: str) -> dict[str, Decimal]:
    sums: Counter[str] = Counter()
    for entry in books:
        sums[getattr(entry, name)] += true_cost(entry)
    return {key: usd(value) for key, value in sums.items()}


def same(engine: Engine, told: object, wanted: Decimal) -> bool:
    """Exact on PostgreSQL; SQLite has no decimals, and is within a millionth of a cent."""
    assert isinstance(told, int | float | Decimal)
    if engine.dialect.name == "postgresql":
        return Decimal(told) == wanted
    return float(told) == pytest.approx(float(wanted), abs=1e-8)


def test_every_panel_is_answered(engine: Engine, books: list[EntryRow]) -> None:
    assert books
    assert len(SQL) > 10
    assert [title for title in SQL if not ask(engine, title)] == []


@pytest.mark.parametrize(("name", "wanted"), [("tenant", TENANTS), ("model", (*MODELS, "other"))])
def test_there_is_a_choice(
    engine: Engine, books: list[EntryRow], name: str, wanted: tuple[str, ...]
) -> None:
    assert books
    choices = {each["name"]: each for each in BOARDS["ledger"]["templating"]["list"]}
    until = AT_US // 1_000_000
    told = sql(choices[name]["query"], since=until - 30 * 86_400, until=until, chosen={})
    with engine.connect() as connection:
        assert connection.scalars(text(told)).all() == sorted(wanted)


def test_the_cost_is_the_ledgers(engine: Engine, books: list[EntryRow]) -> None:
    wanted = usd(sum(true_cost(entry) for entry in books))
    assert same(engine, ask(engine, "Cost")[0]["cost"], wanted)
    assert wanted == usd(usage(engine)[0].cost_pusd)
    assert ask(engine, "Requests")[0]["requests"] == len(books)
    assert ask(engine, "Without a cost")[0]["unpriced"] == 1
    assert same(engine, ask(engine, "Learned later")[0]["adjusted"], usd(7 - 10**12))
    assert ask(engine, "The books differ by")[0]["difference"] == 0
    assert ask(engine, "Held now")[0]["held"] == 0


@pytest.mark.parametrize(
    ("title", "column", "name"),
    [("By tenant", "tenant", "tenant"), ("By model", "model", "priced_model"),
     ("By key", "key", "key_id")],
)  # fmt: skip
def test_the_tables_are_the_ledgers(
    engine: Engine, books: list[EntryRow], title: str, column: str, name: str
) -> None:
    told = {row[column]: row["cost"] for row in ask(engine, title)}
    wanted = by(books, name)
    assert set(told) == set(wanted)
    assert [key for key, cost in wanted.items() if not same(engine, told[key], cost)] == []


def test_over_time_it_adds_up_to_the_same(engine: Engine, books: list[EntryRow]) -> None:
    wanted = usd(sum(true_cost(entry) for entry in books))
    for title, seconds in (("Cost by hour and model", 3600), ("Cost by day and tenant", 86_400)):
        rows = ask(engine, title)
        assert same(engine, sum(row["cost"] for row in rows), wanted)
        assert all(row["time"] % seconds == 0 for row in rows)
        assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)


def test_only_what_was_chosen_counts(engine: Engine, books: list[EntryRow]) -> None:
    chosen = [entry for entry in books if entry.tenant == "globex"]
    wanted = usd(sum(true_cost(entry) for entry in chosen))
    assert same(engine, ask(engine, "Cost", tenant=("globex",))[0]["cost"], wanted)
    assert ask(engine, "The books differ by", tenant=("globex",))[0]["difference"] == 0
    since_us = (AT_US - DAY_US // 2) // schema.HOUR_US * schema.HOUR_US
    late = [entry for entry in books if entry.created_at_us >= since_us]
    assert 0 < len(late) < len(books)
    assert ask(engine, "Requests", days=0.5)[0]["requests"] == len(late)
    assert ask(engine, "The books differ by", days=0.5)[0]["difference"] == 0


def test_books_that_differ_are_found(engine: Engine, books: list[EntryRow]) -> None:
    assert books
    with engine.connect() as connection:
        connection.execute(text("DELETE FROM adjustment"))
        (row,) = asked_of(connection, "The books differ by")
        connection.rollback()
    assert same(engine, row["difference"], usd(7 - 10**12))


def test_a_budget_is_told_with_what_is_left(engine: Engine, books: list[EntryRow]) -> None:
    spent = sum(
        entry.hold_pusd if entry.cost_pusd is None else true_cost(entry)
        for entry in books
        if entry.tenant.startswith("acme")
    )
    (row,) = ask(engine, "Budgets")
    assert row["budget"] == "acme"
    assert same(engine, row["limit"], Decimal(10))
    assert same(engine, row["spent"], usd(spent))
    assert same(engine, row["left"], Decimal(10) - usd(spent))


def test_entries_that_are_not_exact_are_listed(engine: Engine, books: list[EntryRow]) -> None:
    assert books
    rows = ask(engine, "Requests whose cost is not exact")
    assert {row["request"] for row in rows} == {"late", "unpriced"}
    assert ask(engine, "The dearest requests")[0]["request"] == "late"


def test_what_the_cache_saved_is_the_difference_of_the_billed_prices(
    engine: Engine, books: list[EntryRow]
) -> None:
    saved = sum(
        40 * (2_000_000 - 200_000)
        for entry in books
        if any(ln in CACHED[1:2] for ln in entry.lines)
    )
    told_saved = sum(row["saved"] for row in ask(engine, "What the cache saved"))
    assert same(engine, told_saved, usd(saved))
    told = {row["meter"]: row["cost"] for row in ask(engine, "Cost by meter")}
    sums: Counter[str] = Counter()
    for entry in books:
        for line in entry.lines:
            sums[line.meter] += line.cost_pusd
    assert set(told) == set(sums)
    assert [meter for meter, cost in sums.items() if not same(engine, told[meter], usd(cost))] == []
