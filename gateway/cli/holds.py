"""`gateway holds`: money that is put aside, for whom, since when, and why."""

from gateway.adapters.views import hold_document
from gateway.cli.access import database, now_us, settings_from
from gateway.cli.options import ConfigOption, JsonOption, verb_group
from gateway.cli.output import print_json, print_table, talk
from gateway.core.money import to_usd

app = verb_group(words="What is put aside for requests that are under way.")

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
    records = [hold_document(hold) for hold in found]
    if json:
        print_json(records)
        return
    print_table(_COLUMNS, [[record[column] for column in _COLUMNS] for record in records])
    talk(f"{len(found)} open, {to_usd(sum(hold.hold_pusd for hold in found))} USD held")
