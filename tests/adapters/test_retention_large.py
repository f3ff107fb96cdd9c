"""Ten million entries on PostgreSQL: what reading usage and pruning a month take then."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from gateway.adapters import migrate
from gateway.adapters.database import open_engine
from gateway.adapters.partitions import partition
from gateway.adapters.reports import usage
from gateway.adapters.retention import old_months, prune
from gateway.core.month import Month
from tests.fakes import postgres
from tests.fakes.synthetic import fill

ENTRIES = 10_000_000
MONTHS = 12
LAST = Month(2026, 11)
USAGE_SECONDS_MAX = 0.2
PRUNE_SECONDS_MAX = 1.0
GROUPS = (("tenant",), ("tenant", "model"), ("day",), ("key",))

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postgres, "MEMORY", Path("/nowhere"))  # it would be 10 GB of it
        server = postgres.Server()
    opened = open_engine(server.url.render_as_string(hide_password=False))
    try:
        migrate.upgrade(opened)
        partition(opened, now_us=LAST.plus(1 - MONTHS).start_us, ahead=MONTHS)
        for ago in range(MONTHS):
            fill(opened, LAST.plus(-ago), ENTRIES // MONTHS)
        with opened.connect() as connection:
            plain = connection.execution_options(isolation_level="AUTOCOMMIT")
            plain.exec_driver_sql("SET statement_timeout = 0")
            plain.exec_driver_sql("VACUUM ANALYZE usage_hour")
        yield opened
    finally:
        opened.dispose()
        server.remove()


def seconds(what: Callable[[], object], *, times: int = 1) -> float:
    """The best of so many: a machine that is busy with something else is not what is timed."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        what()
        found.append(time.perf_counter() - began)
    return min(found)


@pytest.mark.parametrize("since_us", [None, LAST.start_us], ids=["ever", "this month"])
@pytest.mark.parametrize("by", GROUPS, ids=",".join)
def test_usage_is_read_at_once(engine: Engine, by: tuple[str, ...], since_us: int | None) -> None:
    taken = seconds(lambda: usage(engine, by=by, since_us=since_us), times=5)
    print(f"usage by {','.join(by)}: {taken * 1000:.0f} ms")
    assert taken < USAGE_SECONDS_MAX


def test_a_month_is_gone_at_once_and_its_usage_stays(engine: Engine) -> None:
    before = usage(engine, by=("tenant", "model", "day"), since_us=LAST.plus(1 - MONTHS).start_us)
    (oldest, *_) = old_months(engine, LAST)
    assert oldest.requests == ENTRIES // MONTHS
    taken = seconds(lambda: prune(engine, oldest.month.plus(1)))
    print(f"pruned {oldest.requests} entries: {taken * 1000:.0f} ms")
    assert taken < PRUNE_SECONDS_MAX
    assert old_months(engine, LAST)[0].month == oldest.month.plus(1)
    after = usage(engine, by=("tenant", "model", "day"), since_us=LAST.plus(1 - MONTHS).start_us)
    assert after == before
