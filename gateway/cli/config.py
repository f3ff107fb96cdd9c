"""`gateway config`: what is set, and from where."""

from typing import Annotated

import typer

from gateway.cli.access import settings_from
from gateway.cli.options import ConfigOption, JsonOption, verb_group
from gateway.cli.output import print_json, print_table

app = verb_group(words="The configuration in force.")


@app.callback()
def config() -> None:
    """The configuration in force."""


@app.command()
def show(
    origin: Annotated[bool, typer.Option(help="Also say where each value is from.")] = False,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Every setting with its value, unit and words; secrets as ***."""
    from gateway.config.fields import FIELDS, shown
    from gateway.config.sources import origins

    settings = settings_from(config)
    said_by = origins(settings)
    if json:
        print_json(
            [
                {
                    "name": field.name,
                    "value": shown(settings, field.name),
                    "unit": field.unit or None,
                    "origin": said_by[field.name],
                    "variable": field.variable,
                    "description": field.description,
                }
                for field in FIELDS.values()
            ]
        )
        return
    columns = ["setting", "value", "unit", *(["origin"] if origin else []), "description"]
    print_table(
        columns,
        [
            [
                field.name,
                shown(settings, field.name),
                field.unit,
                *([said_by[field.name]] if origin else []),
                field.description,
            ]
            for field in FIELDS.values()
        ],
    )
