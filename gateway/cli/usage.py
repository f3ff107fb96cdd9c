"""`gateway usage`: tokens and cost, added up by tenant, model, day, key or tag."""

from typing import Annotated

import typer

from gateway.adapters.views import COLUMN_OF, COUNTS, usage_document, usage_groups
from gateway.cli.access import database, now_us, settings_from
from gateway.cli.exits import WrongUsage
from gateway.cli.options import ConfigOption, JsonOption, SinceOption, UntilOption
from gateway.cli.output import print_csv, print_json, print_table, talk
from gateway.cli.times import before
from gateway.core.money import to_usd


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
    try:
        groups = usage_groups(by)
    except ValueError as unknown:
        raise WrongUsage(f"--by {unknown}") from None
    now = now_us()
    since_us = None if since is None else before(since, now)
    until_us = None if until is None else before(until, now)
    with database(settings_from(config)) as engine:
        rows = reports.usage(engine, by=groups, since_us=since_us, until_us=until_us, tenant=tenant)
    records = [usage_document(row, groups) for row in rows]
    columns = [
        *(COLUMN_OF.get(group, group) for group in groups),
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
