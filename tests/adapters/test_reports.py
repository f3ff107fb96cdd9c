"""What the ledger says: newest first, a page at a time, and exact."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, insert

from gateway.adapters import reports, schema
from gateway.adapters.database import write_transaction
from gateway.adapters.ledger import Ledger
from gateway.core.cost import CostLine
from gateway.core.exchange import Basis
from tests import builders
from tests.builders import AT_US

DAY_US = int(datetime(2026, 11, 22, tzinfo=UTC).timestamp()) * 1_000_000
HUGE = 9 * 10**18


async def settle(ledger: Ledger, request_id: str, **fields: Any) -> None:
    hold = builders.hold(request_id=request_id, **fields)
    await ledger.settle(builders.exchange(hold=hold, response_id=f"resp_{request_id}"))


async def test_an_entry_reads_back_whole(ledger: Ledger, engine: Engine) -> None:
    hold = builders.hold(request_id="a", tags={"run": "1"})
    exchange = builders.exchange(hold=hold, client_gone=True)
    await ledger.settle(exchange)
    entry = reports.entry(engine, "a")
    assert entry is not None
    assert entry.lines == exchange.lines
    assert isinstance(entry.lines[0], CostLine)
    assert (entry.tags, entry.client_gone, entry.recoverable) == ({"run": "1"}, True, False)
    assert (entry.cost_pusd, entry.hold_pusd) == (exchange.cost_pusd, hold.hold_pusd)
    assert reports.entry(engine, "resp_1") == entry
    assert reports.entry(engine, "b") is None


async def test_what_became_known_later_is_told_beside_the_cost(
    ledger: Ledger, engine: Engine
) -> None:
    hold = builders.hold(request_id="a", hold_pusd=100)
    lost = builders.exchange(hold=hold, basis=Basis.WORST_CASE, cost_pusd=100)
    await ledger.settle(lost)
    await ledger.settle(builders.exchange(hold=hold, cost_pusd=30))
    entry = reports.entry(engine, "a")
    assert entry is not None
    assert (entry.basis, entry.cost_pusd, entry.adjustment_pusd) == ("worst_case", 100, -70)
    assert isinstance(entry.adjustment_pusd, int)
    await settle(ledger, "b")
    assert {row.adjustment_pusd for row in reports.entries(engine)} == {-70, None}


async def test_pages_follow_each_other_without_gap_or_repeat(
    ledger: Ledger, engine: Engine
) -> None:
    for number in range(7):  # some at the same moment: the id decides then
        await settle(ledger, f"r{number}", created_at_us=AT_US + number // 3)
    seen: list[str] = []
    before: tuple[int, str] | None = None
    while page := reports.entries(engine, limit=2, before=before):
        seen += [row.request_id for row in page]
        before = (page[-1].created_at_us, page[-1].request_id)
    assert seen == ["r6", "r5", "r4", "r3", "r2", "r1", "r0"]


async def test_a_path_stands_for_itself_and_what_is_below(ledger: Ledger, engine: Engine) -> None:
    for path in ("acme", "acme/a", "acme/a/b", "acme-x", "acmf", "a_me", "axme/y"):
        await settle(ledger, path, tenant=path)
    below = {row.request_id for row in reports.entries(engine, tenant="acme")}
    assert below == {"acme", "acme/a", "acme/a/b"}
    assert [row.request_id for row in reports.entries(engine, tenant="a_me")] == ["a_me"]
    (row,) = reports.usage(engine, tenant="acme/a")
    assert row.requests == 2


async def test_entries_since(ledger: Ledger, engine: Engine) -> None:
    await settle(ledger, "old", created_at_us=AT_US - 1)
    await settle(ledger, "new", created_at_us=AT_US)
    assert [row.request_id for row in reports.entries(engine, since_us=AT_US)] == ["new"]


async def test_usage_is_told_apart_as_asked(ledger: Ledger, engine: Engine) -> None:
    await settle(ledger, "a", tenant="acme", created_at_us=DAY_US - 1)
    await settle(ledger, "b", tenant="acme", created_at_us=DAY_US)
    await settle(ledger, "c", tenant="beta", created_at_us=DAY_US, price=None, key_id="k2")
    (total,) = reports.usage(engine)
    assert (total.requests, total.input_tokens, total.cost_pusd) == (3, 300, 3 * 360_000_000)
    assert (total.tenant, total.model, total.day, total.key_id) == (None, None, None, None)
    days = [
        (row.tenant, row.day, row.requests) for row in reports.usage(engine, by=("tenant", "day"))
    ]
    assert days == [
        ("acme", "2026-11-21", 1),
        ("acme", "2026-11-22", 1),
        ("beta", "2026-11-22", 1),
    ]
    keys = [(row.model, row.key_id) for row in reports.usage(engine, by=("model", "key"))]
    assert keys == [("gpt-test", "k00000000001"), ("other", "k2")]


async def test_the_hours_that_a_span_touches_count(ledger: Ledger, engine: Engine) -> None:
    await settle(ledger, "a", created_at_us=DAY_US)
    hour = schema.HOUR_US
    assert reports.usage(engine, since_us=DAY_US + 1) != []
    assert reports.usage(engine, since_us=DAY_US + hour) == []
    assert reports.usage(engine, until_us=DAY_US + 1) != []
    assert reports.usage(engine, until_us=DAY_US) == []


def test_nothing_used_is_no_row(engine: Engine) -> None:
    assert reports.usage(engine) == []
    assert reports.usage(engine, by=("tenant",)) == []


def _hour(engine: Engine, number: int, cost_pusd: int, tenant: str = "acme") -> None:
    counts = dict.fromkeys(
        ("input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens",
         "reasoning_tokens", "unpriced"),
        0,
    )  # fmt: skip
    with write_transaction(engine) as connection:
        connection.execute(
            insert(schema.usage_hour).values(
                hour=number, tenant=tenant, key_id="k", model="m", service_tier="",
                requests=1, cost_pusd=cost_pusd, **counts,
            )
        )  # fmt: skip


def test_sums_beyond_64_bits_are_exact(engine: Engine) -> None:
    for number in range(5):
        _hour(engine, number, HUGE + number)
    (row,) = reports.usage(engine)
    assert row.cost_pusd == 5 * HUGE + 10
    assert isinstance(row.cost_pusd, int)
