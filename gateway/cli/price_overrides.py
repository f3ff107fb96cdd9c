"""`gateway prices set`, `unset` and `history`: prices that running gateways hear of.

Not here: what is in force (`prices`), or prices that come after the cost (`reprice`).
"""

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.access import author as at_keyboard
from gateway.cli.access import database, now_us, settings_from, user
from gateway.cli.exits import WrongUsage
from gateway.cli.options import ConfigOption, JsonOption
from gateway.cli.output import print_json, print_table, talk
from gateway.cli.times import moment
from gateway.core.moment import iso

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.adapters.overrides import Overrides

Model = Annotated[str, typer.Argument(help="A model's name, as requests give it.")]
Usd = Annotated[str | None, typer.Option(metavar="USD", help="For 1,000,000 tokens.")]
From = Annotated[
    str | None,
    typer.Option("--from", help="From this moment on; else from when every gateway has heard."),
]
To = Annotated[str | None, typer.Option("--to", help="Until before this moment; else for good.")]
By = Annotated[str | None, typer.Option("--by", help="Who says so; else the user's name.")]
Note = Annotated[str, typer.Option(help="Why.")]


def set_price(
    model: Model,
    file: Annotated[Path | None, typer.Argument(help="A price file with this model.")] = None,
    *,
    input_: Annotated[str | None, typer.Option("--input", metavar="USD")] = None,
    cached: Usd = None,
    cache_write: Usd = None,
    cache_write_12h: Usd = None,
    output: Usd = None,
    like: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Whose limits it has; else its own.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Where the price is published.")] = None,
    begin: From = None,
    end: To = None,
    note: Note = "",
    by: By = None,
    config: ConfigOption = None,
) -> None:
    """Set a model's price, for good or for a span. What is not said is not offered, as in files."""
    from gateway.adapters.overrides import plain_document
    from gateway.adapters.pricefile import document_of
    from gateway.cli.book import book_in_force

    author = by or user()
    units = {
        "input": input_,
        "cached": cached,
        "cache_write": cache_write,
        "cache_write_12h": cache_write_12h,
        "output": output,
    }
    given = {name: usd for name, usd in units.items() if usd is not None}
    if (file is None) != bool(given):
        raise WrongUsage("give a price file, or --input and --output (USD per 1,000,000 tokens)")
    with _overrides_of(config) as overrides:
        if file is not None:
            document = document_of(file, model)
        else:
            book = book_in_force(config)
            document = plain_document(
                model, given, book, like=like, source=source or f"set by {author}"
            )
        _say(overrides, model, document, begin=begin, end=end, author=author, note=note)


def unset(
    model: Model,
    *,
    begin: From = None,
    end: To = None,
    note: Note = "",
    by: By = None,
    config: ConfigOption = None,
) -> None:
    """Let the files say again what a model costs."""
    with _overrides_of(config) as overrides:
        _say(overrides, model, None, begin=begin, end=end, author=by or user(), note=note)


def history(
    model: Annotated[str | None, typer.Argument(help="Of this model only.")] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """What was set and unset, by whom and when, oldest first."""
    from gateway.adapters.overrides import override_document

    with _overrides_of(config) as overrides:
        records = [override_document(said) for said in overrides.history(model)]
    if json:
        print_json(records)
    else:
        columns = ["number", "at", "by", "model", "from", "to", "default_tier", "note"]
        print_table(columns, [[str(each[name] or "-") for name in columns] for each in records])


def _say(
    overrides: "Overrides",
    model: str,
    document: bytes | None,
    *,
    begin: str | None,
    end: str | None,
    author: str,
    note: str,
) -> None:
    said = overrides.say(
        model,
        document,
        from_us=None if begin is None else moment(begin),
        to_us=None if end is None else moment(end),
        author=author,
        note=note,
    )
    what = "the files' price" if document is None else "this price"
    until = "" if said.effective_to_us is None else f" until {iso(said.effective_to_us)}"
    talk(f"{model}: {what} from {iso(said.effective_from_us)}{until} (number {said.n})")
    if said.effective_from_us < said.at_us:
        talk("it is for what comes, and for what has no cost yet (`gateway prices reprice`)")


@contextmanager
def _overrides_of(config: Path | None) -> "Iterator[Overrides]":
    """Overrides, for verbs; a price or a span that cannot be ends the verb."""
    from gateway.adapters.overrides import Overrides

    with database(settings_from(config), may_create=True) as engine:
        try:
            yield Overrides(engine=engine, now_us=now_us, author=at_keyboard())
        except ValueError as refused:
            raise WrongUsage(str(refused)) from None
