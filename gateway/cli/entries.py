"""`gateway entries`: the ledger, newest first. The names in its JSON stay: scripts read them."""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.adapters.views import entry_document, entry_facts
from gateway.cli.access import database, now_us, settings_from
from gateway.cli.options import ConfigOption, JsonOption, SinceOption
from gateway.cli.output import print_json_lines, print_table, talk
from gateway.cli.times import before

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from gateway.adapters.reports import EntryRow

_PAGE_ROWS = 500
_US = 1_000_000
_COLUMNS = (
    "id", "created_at", "tenant", "model", "outcome", "basis", "input_tokens", "output_tokens",
    "cost_usd",
)  # fmt: skip


def entries(
    tenant: Annotated[str | None, typer.Option(help="Only this tenant and those below.")] = None,
    since: SinceOption = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many; without it JSON has all.")
    ] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """The ledger's entries, newest first; with --json one object a line."""
    settings = settings_from(config)
    since_us = None if since is None else before(since, now_us())
    with database(settings) as engine:
        rows = _pages(engine, tenant=tenant, since_us=since_us)
        if json:
            print_json_lines(entry_document(row) for row in islice(rows, limit))
            return
        shown_max = limit or settings.limits.rows_per_page
        records = [entry_facts(row) for row in islice(rows, shown_max + 1)]
    print_table(_COLUMNS, [[each[name] for name in _COLUMNS] for each in records[:shown_max]])
    if len(records) > shown_max:
        talk(f"the newest {shown_max}; --limit shows more, --json all")


def _pages(engine: "Engine", *, tenant: str | None, since_us: int | None) -> "Iterator[EntryRow]":
    """Entry by entry, read page by page: a ledger may be larger than memory."""
    from gateway.adapters import reports

    last: tuple[int, str] | None = None
    while True:
        page = reports.entries(
            engine, tenant=tenant, since_us=since_us, limit=_PAGE_ROWS, before=last
        )
        yield from page
        if len(page) < _PAGE_ROWS:
            return
        last = (page[-1].created_at_us, page[-1].request_id)
