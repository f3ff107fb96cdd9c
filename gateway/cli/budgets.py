"""`gateway budgets`: what tenants and keys may spend. Scripts rely on the names in its JSON."""

import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gateway.adapters.views import budget_document, budget_facts
from gateway.cli.access import author, database, now_us, settings_from
from gateway.cli.book import book_in_force
from gateway.cli.exits import CheckFailed, WrongUsage
from gateway.cli.explain import explain
from gateway.cli.options import ConfigOption, JsonOption, verb_group
from gateway.cli.output import print_json, print_table, talk
from gateway.core.budget import SPANS
from gateway.core.money import pusd_from_usd, to_usd

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.adapters.budgets import Budgets, Given
    from gateway.adapters.standings import Standing
    from gateway.core.budget import Budget

app = verb_group(
    words="What tenants and keys may spend; a request must fit every budget on its way."
)
app.command()(explain)

Subject = Annotated[str, typer.Argument(metavar="PATH|KEY-ID", help="A tenant, or a key's id.")]
Span = Annotated[
    Literal["total", "day", "week", "month"], typer.Option(help="When it starts afresh.")
]
Limit = Annotated[
    str | None,
    typer.Option(metavar="USD", help="For each period, as 10.00; a new budget needs it."),
]
Zone = Annotated[
    str | None,
    typer.Option(
        metavar="ZONE", help="Whose midnight counts, as Europe/Berlin; UTC where none was given."
    ),
]
Models = Annotated[str | None, typer.Option(metavar="A,B", help="Only what these models cost.")]
Hard = Annotated[
    bool | None,
    typer.Option("--hard/--soft", help="Refuse what does not fit (the default), or only tell."),
]
Thresholds = Annotated[
    str | None,
    typer.Option(metavar="PERCENTS", help="When to alert; 50,80,100 where none were given."),
]

_COLUMNS = (
    "subject", "budget", "limit_usd", "spent_usd", "held_usd", "left_usd", "excess_usd", "hard",
    "period_end", "tz",
)  # fmt: skip


@app.command("set")
def set_budget(
    subject: Subject,
    *,
    period: Span,
    limit_usd: Limit = None,
    tz: Zone = None,
    hard: Hard = None,
    models: Models = None,
    thresholds: Thresholds = None,
    config: ConfigOption = None,
) -> None:
    """Limit what a tenant, with all below it, or a key may spend. What is not named stays."""
    given: Given = {}
    if limit_usd is not None:
        given["limit_pusd"] = _amount(limit_usd)
    if tz is not None:
        given["zone"] = tz
    if hard is not None:
        given["is_hard"] = hard
    if thresholds is not None:
        given["thresholds_pct"] = _percents(thresholds)
    names = _names(models)
    with budgets_of(config, may_create=True) as budgets:
        budget = budgets.set_budget(subject, period=period, models=names, given=given)
    _warn_of_unknown(names or (), config)
    talk(limit_in_words(budget))


@app.command()
def end(
    subject: Subject, *, period: Span, models: Models = None, config: ConfigOption = None
) -> None:
    """Stop limiting. What was spent stays on record."""
    names = _names(models)
    with budgets_of(config, may_create=True) as budgets:
        budgets.end_budget(subject, period=period, models=names)
    talk(f"ended the budget of {subject}{_for(names)} {SPANS[period]}")


@app.command("list")
def list_budgets(json: JsonOption = False, config: ConfigOption = None) -> None:
    """Every budget in force and what its current period comes to."""
    with budgets_of(config) as budgets:
        found = budgets.list_budgets()
    if json:
        print_json([budget_document(standing) for standing in found])
    else:
        _print(found)


@app.command()
def show(subject: Subject, json: JsonOption = False, config: ConfigOption = None) -> None:
    """What is left of a tenant's or a key's own budgets, the scarcest first."""
    with budgets_of(config) as budgets:
        found = budgets.list_budgets(subject)
    if not found:
        raise CheckFailed(f"no budget is set on {subject} itself; `gateway budgets list` lists all")
    found.sort(key=lambda standing: standing.account.left_pusd)
    if json:
        records = [budget_document(standing) for standing in found]
        print_json({**records[0], "budgets": records})
    else:
        _print(found)


def limit_in_words(budget: "Budget") -> str:
    """A budget in one line, as it was set."""
    manner = "hard" if budget.is_hard else "soft"
    limit, span = to_usd(budget.limit_pusd), SPANS[budget.period]
    return (
        f"budget of {budget.subject}{_for(budget.models)}: {limit} USD {span} in {budget.zone},"
        f" {manner}"
    )


@contextmanager
def budgets_of(config: "Path | None", *, may_create: bool = False) -> Iterator["Budgets"]:
    """Budgets, for verbs; an unknown subject or budget or a bad value ends the verb."""
    from gateway.adapters.budgets import Budgets, BudgetUnknown
    from gateway.adapters.policies import SubjectUnknown

    with database(settings_from(config), may_create=may_create) as engine:
        try:
            yield Budgets(engine=engine, now_us=now_us, author=author())
        except (SubjectUnknown, BudgetUnknown) as unknown:
            raise CheckFailed(str(unknown)) from None
        except ValueError as refused:
            raise WrongUsage(str(refused)) from None


def _amount(usd: str) -> int:
    try:
        return pusd_from_usd(usd)
    except ValueError as refused:
        raise WrongUsage(f"--limit-usd: {refused}") from None


def _percents(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(percent) for percent in text.split(",") if percent)
    except ValueError:
        raise WrongUsage(f"--thresholds: {text!r} are no whole percents; write 50,80,100") from None


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",")]


def _for(models: Sequence[str] | None) -> str:
    return "" if models is None else f" for {', '.join(models)}"


def _warn_of_unknown(models: Sequence[str], config: "Path | None") -> None:
    """A budget for a misspelt model would limit nothing."""
    book, now = book_in_force(config), now_us()
    for model in models:
        if book.find(model, now) is None:
            close = difflib.get_close_matches(model, book.names(), n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            talk(f"gateway: warning: no price is known for {model!r}{hint}")


def _print(found: "Sequence[Standing]") -> None:
    rows = []
    for standing in found:
        facts = {**budget_facts(standing), "budget": standing.budget.name}
        rows.append([facts[column] for column in _COLUMNS])
    print_table(_COLUMNS, rows)
