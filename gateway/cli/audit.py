"""`gateway audit`: who changed what, and when, newest first."""

import json as words
from typing import Annotated

import typer

from gateway.cli.access import database, now_us, settings_from
from gateway.cli.options import ConfigOption, JsonOption, SinceOption
from gateway.cli.output import print_json_lines, print_table, talk
from gateway.cli.times import before

_COLUMNS = ("number", "at", "by", "action", "subject", "change")


def audit(
    since: SinceOption = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant and those below.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many; without it JSON has all.")
    ] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Changes of tenants, keys, policies, budgets, prices and tokens; with --json one a line."""
    from gateway.adapters.audit import audit_document, audit_rows

    settings = settings_from(config)
    since_us = None if since is None else before(since, now_us())
    shown_max = limit or (None if json else settings.limits.rows_per_page)
    with database(settings) as engine:
        rows = audit_rows(engine, tenant=tenant, since_us=since_us, limit=shown_max)
    records = [audit_document(row) for row in rows]
    if json:
        print_json_lines(records)
        return
    print_table(_COLUMNS, [[*map(str, _cells(record))] for record in records])
    if len(records) == shown_max:
        talk(f"the newest {shown_max}; --limit shows more, --json all")


def _cells(record: dict[str, object]) -> list[object]:
    facts = [
        f"{words.dumps(record[name], ensure_ascii=False)}" if record[name] is not None else "-"
        for name in ("before", "after")
    ]
    return [*(record[name] for name in _COLUMNS[:-1]), " → ".join(facts)]
