"""`gateway usage`: tokens and cost, added up by tenant, model, day, key or tag."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.adapters.views import COUNTS, usage_facts
from gateway.cli.access import database, now_us, settings_from
from gateway.cli.exits import WrongUsage
from gateway.cli.options import ConfigOption, JsonOption, SinceOption, UntilOption
from gateway.cli.output import Cell, print_csv, print_json, print_table, talk
from gateway.cli.times import before
from gateway.core.money import to_usd

if TYPE_CHECKING:
    from gateway.adapters.reports import UsageRow

_COLUMN_OF = {"tenant": "tenant", "model": "model", "day": "day", "key": "key_id"}
_TAG = re.compile(r"tag:([a-z0-9_.-]+)\Z")


def usage(
    *,
    by: Annotated[str, typer.Option(help="Any of tenant,model,day,key,tag:NAME.")] = "tenant",
    tenant: Annotated[str | None, typer.Option(help="Only this tenant and those below.")] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    json: JsonOption = False,
    csv: Annotated[bool, typer.Option("--csv", help="CSV for spreadsheets.")] = False,
    config: ConfigOption = None,
) -> None:
    """Tokens and cost by tenant, model, day, key or tag. Hours count whole; days are UTC."""
    from gateway.adapters import reports

    if json and csv:
        raise WrongUsage("--json and --csv exclude each other")
    groups = _groups(by)
    now = now_us()
    since_us = None if since is None else before(since, now)
    until_us = None if until is None else before(until, now)
    with database(settings_from(config)) as engine:
        rows = reports.usage(engine, by=groups, since_us=since_us, until_us=until_us, tenant=tenant)
    records = [_record(row, groups) for row in rows]
    columns = [
        *(_COLUMN_OF.get(group, group) for group in groups),
        *COUNTS,
        "cost_usd",
        "unpriced_requests",
    ]
    if json:
        print_json(records)
    elif csv:
        print_csv(columns, [list(record.values()) for record in records])
    else:
        print_table(columns, [list(record.values()) for record in records])
        talk(f"total {to_usd(sum(row.cost_pusd for row in rows))} USD")


def _groups(by: str) -> list[str]:
    groups = list(dict.fromkeys(by.split(",")))
    unknown = [group for group in groups if group not in _COLUMN_OF and not _TAG.match(group)]
    if unknown:
        raise WrongUsage(
            f"--by takes tenant, model, day, key and tag:NAME, not {', '.join(unknown)!r}"
        )
    return groups


def _record(row: "UsageRow", groups: list[str]) -> dict[str, Cell]:
    """A row in the order of its columns."""
    return {
        **dict(_told(row, group) for group in groups),
        **usage_facts(row),
    }


def _told(row: "UsageRow", group: str) -> tuple[str, Cell]:
    if tag := _TAG.match(group):
        return group, row.tags[tag[1]]
    return _COLUMN_OF[group], getattr(row, _COLUMN_OF[group])
