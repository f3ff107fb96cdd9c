"""`gateway holds`: money that is put aside, for whom, since when, and why."""

from typing import TYPE_CHECKING

from gateway.cli.access import database, now_us, settings_from
from gateway.cli.options import ConfigOption, JsonOption, verb_group
from gateway.cli.output import Cell, print_json, print_table, talk
from gateway.core.moment import iso
from gateway.core.money import to_usd

if TYPE_CHECKING:
    from gateway.adapters.open_holds import OpenHold

app = verb_group(words="What is put aside for requests that are under way.")

_US = 1_000_000
_COLUMNS = (
    "request_id",
    "tenant",
    "key_id",
    "model",
    "hold_usd",
    "age_seconds",
    "host",
    "pid",
    "why",
)


@app.callback()
def holds() -> None:  # without it the group's only verb would take the group's place
    """What is put aside for requests that are under way."""


@app.command("list")
def list_holds(json: JsonOption = False, config: ConfigOption = None) -> None:
    """Every open hold, oldest first: whose it is, how old, and why it is open."""
    from gateway.adapters.open_holds import open_holds

    with database(settings_from(config)) as engine:
        found = open_holds(engine, now_us)
    records = [_record(hold) for hold in found]
    if json:
        print_json(records)
        return
    print_table(_COLUMNS, [[record[column] for column in _COLUMNS] for record in records])
    talk(f"{len(found)} open, {to_usd(sum(hold.hold_pusd for hold in found))} USD held")


def _record(hold: "OpenHold") -> dict[str, Cell]:
    return {
        "request_id": hold.request_id,
        "created_at": iso(hold.created_at_us),
        "tenant": hold.tenant,
        "key_id": hold.key_id,
        "endpoint": hold.endpoint,
        "model": hold.model,
        "hold_usd": to_usd(hold.hold_pusd),
        "age_seconds": hold.age_us / _US,
        "response_id": hold.response_id,
        "owner": hold.owner,
        "host": hold.host,
        "pid": hold.pid,
        "owner_lives": hold.has_lease,
        "why": "in flight" if hold.has_lease else "its process died; will be reconciled",
    }
