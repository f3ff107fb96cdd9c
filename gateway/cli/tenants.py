"""`gateway tenants`: who pays."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.access import database, now_us, settings_from
from gateway.cli.exits import CheckFailed, WrongUsage
from gateway.cli.options import ConfigOption, JsonOption, verb_group
from gateway.cli.output import print_json, print_table, talk
from gateway.core.moment import iso, iso_or_none

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.adapters.directory import Directory

app = verb_group(words="Who pays: tenants form a tree, as acme/search/ana.")

TenantPath = Annotated[str, typer.Argument(metavar="PATH", help="A tenant, as acme/search.")]


@app.command()
def create(path: TenantPath, config: ConfigOption = None) -> None:
    """Create a tenant, and those above it. What is there already stays as it is."""
    with directory_of(config, may_create=True) as directory:
        new = directory.create_tenant(path)
    talk(f"created {', '.join(new)}" if new else f"{path} is there already")
    if path in new:
        _endow(path, config)


@app.command("list")
def list_tenants(json: JsonOption = False, config: ConfigOption = None) -> None:
    """Every tenant, parents before children."""
    with directory_of(config) as directory:
        rows = directory.list_tenants()
    records = [
        {
            "path": row.path,
            "created_at": iso(row.created_at_us),
            "suspended_at": iso_or_none(row.suspended_at_us),
        }
        for row in rows
    ]
    if json:
        print_json(records)
    else:
        columns = ("path", "created_at", "suspended_at")
        print_table(columns, [[record[column] for column in columns] for record in records])


@app.command()
def suspend(path: TenantPath, config: ConfigOption = None) -> None:
    """Refuse the keys of a tenant and of those below it, until `resume`."""
    with directory_of(config, may_create=True) as directory:
        directory.suspend(path)
    talk(f"suspended {path}")


@app.command()
def resume(path: TenantPath, config: ConfigOption = None) -> None:
    """Take a tenant's keys again."""
    with directory_of(config, may_create=True) as directory:
        directory.resume(path)
    talk(f"resumed {path}")


def _endow(path: str, config: "Path | None") -> None:
    """Give a new tenant the budget and the policy that settings name; their verbs tell of it."""
    from gateway.cli.budgets import set_budget
    from gateway.cli.policies import set_policy

    given = settings_from(config).tenants
    if given.budget_limit_usd is not None:
        set_budget(
            path,
            period=given.budget_period,
            limit_usd=given.budget_limit_usd,
            hard=given.budget_is_hard,
            config=config,
        )
    if given.max_output_tokens_default is not None:
        default = given.max_output_tokens_default
        set_policy(path, max_output_tokens_default=default, config=config)


@contextmanager
def directory_of(config: "Path | None", *, may_create: bool = False) -> Iterator["Directory"]:
    """Tenants and keys, for verbs; an unknown one or a bad name ends the verb."""
    from gateway.adapters.directory import Directory, KeyUnknown, TenantUnknown

    with database(settings_from(config), may_create=may_create) as engine:
        try:
            yield Directory(engine=engine, now_us=now_us)
        except (TenantUnknown, KeyUnknown) as unknown:
            raise CheckFailed(str(unknown)) from None
        except ValueError as malformed:
            raise WrongUsage(str(malformed)) from None
