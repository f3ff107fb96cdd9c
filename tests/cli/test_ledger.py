"""`gateway ledger`: what operators see of upkeep, and what is refused with what to do."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.adapters import migrate
from gateway.adapters.database import open_engine
from gateway.app.proxy import RequestIds
from gateway.cli import ledger
from gateway.core.month import Month
from tests.adapters.upkeep import post_at
from tests.builders import AT_US, exchange, hold
from tests.cli.commands import Gateway
from tests.cli.conftest import Post
from tests.fakes import postgres

OLD = datetime(2026, 8, 1, tzinfo=UTC)
OLD_US = int(OLD.timestamp()) * 1_000_000


@pytest.fixture(autouse=True)
def in_november(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "now_us", lambda: AT_US)


@pytest.fixture
def old_and_new(post: Post) -> list[str]:
    """Two entries; their ids."""
    ids = [RequestIds().new(at * 1000) for at in (OLD_US, AT_US)]
    for name, at in zip(ids, (OLD_US, AT_US), strict=True):
        post(exchange(hold=hold(request_id=name, created_at_us=at)))
    return ids


@pytest.fixture
def on_postgres(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with postgres.database(is_empty=True) as url:
        engine = open_engine(url)
        migrate.upgrade(engine)
        engine.dispose()
        monkeypatch.setenv("GATEWAY_DATABASE_URL", url)
        yield url


def test_old_months_go_and_their_usage_stays(gateway: Gateway, old_and_new: list[str]) -> None:
    before = gateway("usage", "--by", "day,tenant", "--json").json
    would = gateway("ledger", "prune", "--keep-months", "2", "--dry-run", "--json")
    assert would.json == [{"month": "2026-08", "requests": 1}]
    assert len(gateway("entries", "--json").out.splitlines()) == 2
    gone = gateway("ledger", "prune", "--keep-months", "2")
    assert gone.code == 0
    assert gone.out.split() == ["month", "requests", "2026-08", "1"]
    assert gone.err == "1 months gone; kept from 2026-09 on\n"
    (left,) = gateway("entries", "--json").out.splitlines()
    assert json.loads(left)["id"] == old_and_new[1]
    assert gateway("usage", "--by", "day,tenant", "--json").json == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "say either --keep-months 13 or --before 2026-01"),
        (("--keep-months", "1", "--before", "2026-01"), "say either"),
        (("--before", "last year"), "--before: 'last year' is no month: write 2026-11"),
        (("--before", "2026-11"), "at least this month and the one before are kept"),
    ],
)
def test_what_is_to_be_kept_must_be_said(
    gateway: Gateway, arguments: tuple[str, ...], said: str
) -> None:
    refused = gateway("ledger", "prune", *arguments)
    assert refused.code == 2
    assert said in refused.err


def test_keeping_counts_whole_months(gateway: Gateway, old_and_new: list[str]) -> None:
    for arguments, first in (
        (("--keep-months", "1"), Month(2026, 10)),
        (("--keep-months", "13"), Month(2025, 10)),
        (("--before", "2026-10"), Month(2026, 10)),
    ):
        said = gateway("ledger", "prune", "--dry-run", *arguments).err
        assert said.endswith(f"kept from {first} on\n")


def test_what_is_still_needed_is_told(gateway: Gateway, post: Post) -> None:
    name = RequestIds().new(OLD_US * 1000)
    post(exchange(hold=hold(request_id=name, created_at_us=OLD_US), cost_pusd=None, lines=()))
    refused = gateway("ledger", "prune", "--keep-months", "1")
    assert refused.code == 1
    assert "`gateway prices reprice`" in refused.err
    assert gateway("ledger", "prune", "--keep-months", "1", "--unpriced").code == 0
    assert gateway("entries", "--json").out == ""


def test_sqlite_has_nothing_to_part(gateway: Gateway, old_and_new: list[str]) -> None:
    said = gateway("ledger", "partition")
    assert (said.code, said.out) == (0, "")
    assert "nothing to part" in said.err


def test_months_of_postgresql_get_their_parts(gateway: Gateway, on_postgres: str) -> None:
    engine = open_engine(on_postgres)
    post_at(engine, OLD_US)
    engine.dispose()
    done = gateway("ledger", "partition", "--ahead-months", "1", "--json").json
    assert done == {"parts": ["entry_2026_08", "entry_2026_11", "entry_2026_12"]}
    assert gateway("ledger", "partition", "--ahead-months", "1").err == "parts made: none\n"
    more = gateway("ledger", "partition", "--since", "2026-09", "--json").json
    assert more["parts"][:2] == ["entry_2026_09", "entry_2026_10"]
    assert gateway("ledger", "partition", "--since", "then").code == 2
    assert gateway("ledger", "prune", "--keep-months", "1").err.startswith("1 months gone")


def test_a_ledger_moves_to_postgresql_with_its_ids(
    gateway: Gateway, old_and_new: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert gateway("tenants", "create", "acme/search").code == 0
    key = gateway("keys", "create", "--tenant", "acme/search", "--json").json
    file = tmp_path / "ledger.jsonl"
    file.write_text(gateway("ledger", "export").out)
    entries = gateway("entries", "--json").out
    usage = gateway("usage", "--json").json
    with postgres.database(is_empty=True) as url:
        monkeypatch.setenv("GATEWAY_DATABASE_URL", url)
        assert gateway("migrate").code == 0
        first = gateway("ledger", "import", str(file))
        assert first.code == 0
        assert "entry       2        0" in first.out
        again = gateway("ledger", "import", str(file))
        assert "entry       0        2" in again.out
        assert gateway("entries", "--json").out == entries
        assert gateway("usage", "--json").json == usage
        assert key["id"] in gateway("keys", "list").out


def test_entries_as_csv_have_all_their_columns(gateway: Gateway, old_and_new: list[str]) -> None:
    said = gateway("ledger", "export", "--csv", "--since", "2026-11-01")
    (row,) = csv.DictReader(io.StringIO(said.out))
    assert row["request_id"] == old_and_new[1]
    assert row["cost_pusd"] == "360000000"
    assert row["client_gone"] == "false"
    assert row["reason"] == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("export", "--only", "entry,passwords"), "not 'passwords'"),
        (("export", "--only", "entry,hold", "--csv"), "--csv writes one table"),
        (("import", "nowhere.jsonl"), "nowhere.jsonl: No such file or directory"),
    ],
)
def test_mistakes_are_told(
    gateway: Gateway, old_and_new: list[str], arguments: tuple[str, ...], said: str
) -> None:
    refused = gateway("ledger", *arguments)
    assert refused.code == 2
    assert said in refused.err


def test_a_file_that_is_none_is_refused(
    gateway: Gateway, old_and_new: list[str], tmp_path: Path
) -> None:
    (tmp_path / "other").write_text("{}\n")
    refused = gateway("ledger", "import", "other")
    assert refused.code == 1
    assert refused.err == "gateway: other: line 1: this is no file of `gateway ledger export`\n"
