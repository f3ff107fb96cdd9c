"""`gateway tenants`: who pays."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.adapters.views import tenant_document
from gateway.cli.access import author, database, now_us, settings_from
from gateway.cli.budgets import limit_in_words
from gateway.cli.exits import CheckFailed, WrongUsage
from gateway.cli.options import ConfigOption, JsonOption, verb_group
from gateway.cli.output import print_json, print_table, talk
from gateway.core.policy import said_by

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.adapters.directory import Directory

app = verb_group(words="Who pays: tenants form a tree, as acme/search/ana.")

TenantPath = Annotated[str, typer.Argument(metavar="PATH", help="A tenant, as acme/search.")]


@app.command()
def create(path: TenantPath, config: ConfigOption = None) -> None:
    """Create a tenant, and those above it. What is there already stays as it is."""
    from gateway.app.tenancy import begin_tenant

    settings = settings_from(config)
    with database(settings, may_create=True) as engine:
        try:
            begun = begin_tenant(
                engine, path, given=settings.tenants, now_us=now_us, author=author()
            )
        except ValueError as malformed:
            raise WrongUsage(str(malformed)) from None
    talk(f"created {', '.join(begun.new)}" if begun.new else f"{path} is there already")
    if begun.budget is not None:
        talk(limit_in_words(begun.budget))
    if begun.policy is not None:
        talk(f"policy of {path}: {', '.join(said_by(begun.policy))}")


@app.command("list")
def list_tenants(json: JsonOption = False, config: ConfigOption = None) -> None:
    """Every tenant, parents before children."""
    with directory_of(config) as directory:
        records = [tenant_document(row) for row in directory.list_tenants()]
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


@contextmanager
def directory_of(config: "Path | None", *, may_create: bool = False) -> Iterator["Directory"]:
    """Tenants and keys, for verbs; an unknown one or a bad name ends the verb."""
    from gateway.adapters.directory import Directory, KeyUnknown, TenantUnknown

    with database(settings_from(config), may_create=may_create) as engine:
        try:
            yield Directory(engine=engine, now_us=now_us, author=author())
        except (TenantUnknown, KeyUnknown) as unknown:
            raise CheckFailed(str(unknown)) from None
        except ValueError as malformed:
            raise WrongUsage(str(malformed)) from None
