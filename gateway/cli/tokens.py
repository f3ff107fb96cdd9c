"""`gateway tokens`: the credentials of administrators. Only the verb that makes one shows it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.access import author, database, now_us, settings_from
from gateway.cli.exits import CheckFailed, WrongUsage
from gateway.cli.options import ConfigOption, JsonOption, verb_group
from gateway.cli.output import print_json, print_table, talk
from gateway.cli.times import after
from gateway.core.grant import READ, SCOPES

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.adapters.admin_tokens import AdminTokens

app = verb_group(words="The credentials of administrators, for /admin/v1 and the console.")

_COLUMNS = ("id", "tenant", "name", "scopes", "created_at", "expires_at", "revoked_at")
_SCOPES = "; ".join(f"{scope}: {words}" for scope, words in SCOPES.items())


@app.command()
def create(
    tenant: Annotated[
        str | None, typer.Option(help="For it and all below it; else for the whole gateway.")
    ] = None,
    scopes: Annotated[str, typer.Option(metavar="A,B", help=f"{_SCOPES}.")] = READ,
    name: Annotated[str, typer.Option(help="Whose it is, for the audit.")] = "",
    expires: Annotated[
        str | None, typer.Option(help="When it ends: 2027-01-31, or 90d from now.")
    ] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Make a token. Its text is shown this once; the database keeps only a digest."""
    expires_at_us = None if expires is None else after(expires, now_us())
    with tokens_of(config, may_create=True) as tokens:
        token = tokens.create(
            scopes.split(","), tenant=tenant, name=name, expires_at_us=expires_at_us
        )
    if json:
        told = {"tenant": token.tenant, "scopes": token.scopes}
        print_json({"id": token.id, "token": token.text, **told})
        return
    whose = token.tenant or "the whole gateway"
    talk(f"token {token.id} for {whose}, {','.join(token.scopes)}; its text is shown this once:")
    print(token.text)
    talk("from now on the console and /admin/v1 ask everybody for a token")


@app.command("list")
def list_tokens(json: JsonOption = False, config: ConfigOption = None) -> None:
    """Every token, without its secret, oldest first."""
    from gateway.adapters.admin_tokens import token_document

    with tokens_of(config) as tokens:
        rows = tokens.list_tokens()
    if json:
        print_json([token_document(row) for row in rows])
        return
    records = [{**token_document(row), "scopes": row.scopes} for row in rows]
    print_table(_COLUMNS, [[_cell(record[column]) for column in _COLUMNS] for record in records])


@app.command()
def revoke(
    token_id: Annotated[
        str, typer.Argument(metavar="ID", help="A token's id, as `tokens list` shows it.")
    ],
    config: ConfigOption = None,
) -> None:
    """End a token, at once."""
    with tokens_of(config, may_create=True) as tokens:
        tokens.revoke(token_id)
    talk(f"revoked {token_id}")


@contextmanager
def tokens_of(config: "Path | None", *, may_create: bool = False) -> "Iterator[AdminTokens]":
    """Tokens, for verbs; an unknown one, tenant or scope ends the verb."""
    from gateway.adapters.admin_tokens import AdminTokens, TokenUnknown
    from gateway.adapters.directory import TenantUnknown

    with database(settings_from(config), may_create=may_create) as engine:
        try:
            yield AdminTokens(engine=engine, now_us=now_us, author=author())
        except (TokenUnknown, TenantUnknown) as unknown:
            raise CheckFailed(str(unknown)) from None
        except ValueError as refused:
            raise WrongUsage(str(refused)) from None


def _cell(value: object) -> str | None:
    return None if value is None else str(value)
