"""`gateway keys`: the credentials of tenants. Only the verb that makes a key shows its text."""

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.adapters.views import key_document
from gateway.cli.access import now_us
from gateway.cli.options import ConfigOption, JsonOption, verb_group
from gateway.cli.output import print_json, print_table, talk
from gateway.cli.tenants import directory_of
from gateway.cli.times import after, span_us

if TYPE_CHECKING:
    from gateway.adapters.directory import IssuedKey

app = verb_group(words="The credentials of tenants.")

KeyId = Annotated[str, typer.Argument(metavar="ID", help="A key's id, as `keys list` shows it.")]
_COLUMNS = ("id", "tenant", "name", "created_at", "expires_at", "revoked_at", "replaced_by")


@app.command()
def create(
    tenant: Annotated[str, typer.Option(help="Who pays for what the key asks.")],
    name: Annotated[str, typer.Option(help="What it is for, for people.")] = "",
    expires: Annotated[
        str | None, typer.Option(help="When it ends: 2027-01-31, or 90d from now.")
    ] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Make a key. Its text is shown this once; the database keeps only a digest."""
    expires_at_us = None if expires is None else after(expires, now_us())
    with directory_of(config, may_create=True) as directory:
        key = directory.issue_key(tenant, name=name, expires_at_us=expires_at_us)
    _print_issued(key, json=json)


@app.command("list")
def list_keys(
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's own.")] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Every key, without its secret, oldest first."""
    with directory_of(config) as directory:
        records = [key_document(row) for row in directory.list_keys(tenant)]
    if json:
        print_json(records)
    else:
        print_table(_COLUMNS, [[record[column] for column in _COLUMNS] for record in records])


@app.command()
def rotate(
    key_id: KeyId,
    overlap: Annotated[
        str, typer.Option(help="How long the old key stays valid beside the new one: 24h.")
    ] = "0s",
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Make a key in place of another, which ends after the overlap."""
    overlap_seconds = span_us(overlap) / 1_000_000
    with directory_of(config, may_create=True) as directory:
        key = directory.rotate_key(key_id, overlap_seconds=overlap_seconds)
    _print_issued(key, json=json)
    talk(f"{key_id} stays valid for {overlap}" if overlap_seconds else f"{key_id} has ended")


@app.command()
def revoke(key_id: KeyId, config: ConfigOption = None) -> None:
    """End a key. It takes no hold any more; running gateways refuse it within two seconds."""
    with directory_of(config, may_create=True) as directory:
        directory.revoke_key(key_id)
    talk(f"revoked {key_id}")


def _print_issued(key: "IssuedKey", *, json: bool) -> None:
    if json:
        print_json({"id": key.id, "key": key.text, "tenant": key.tenant})
        return
    talk(f"key {key.id} of {key.tenant}; its text is shown this once:")
    print(key.text)
