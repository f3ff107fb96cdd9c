"""What verbs share in shape: plain groups, and options of one meaning. Not here: any verb."""

from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="The configuration file; else GATEWAY_CONFIG or ./gateway.toml."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON for programs.")]
SinceOption = Annotated[
    str | None, typer.Option(help="From this moment on: 2026-11-22, 2026-11-22T08:00Z or 7d ago.")
]
UntilOption = Annotated[str | None, typer.Option(help="Until before this moment.")]


def verb_group(*, words: str | None = None, cls: type[TyperGroup] = TyperGroup) -> typer.Typer:
    """A group of verbs with plain help and no decorated tracebacks: both would load Rich."""
    return typer.Typer(
        cls=cls,
        help=words,
        no_args_is_help=True,
        context_settings={"max_content_width": 100},
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
