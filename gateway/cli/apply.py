"""`gateway apply`: tenants, policies and budgets as a file says. The plan is shown first."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.access import author, database, now_us, settings_from
from gateway.cli.exits import CheckFailed, WrongUsage
from gateway.cli.options import ConfigOption, JsonOption
from gateway.cli.output import print_json, talk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.core.blueprint import Wanted
    from gateway.core.plan import Step


def apply(
    file: Annotated[Path, typer.Option("--file", "-f", help="What should be (TOML).")],
    *,
    plan: Annotated[bool, typer.Option("--plan", help="Show what it would do, and stop.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune",
            help="Undo what the file does not say: unset fields, end budgets, suspend tenants.",
        ),
    ] = False,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Make tenants, policies and budgets what a file says: all of it, or nothing."""
    from gateway.app.apply import Applier

    wanted = _read(file)
    with database(settings_from(config), may_create=not plan) as engine:
        applier = Applier(engine=engine, now_us=now_us, author=author())
        try:
            steps = applier.plan(wanted, is_pruning=prune)
            is_wanted = not plan and bool(steps)
            if not json or (is_wanted and not yes):
                _show(steps, file)
            if is_wanted and (yes or _is_confirmed()):
                applier.apply(wanted, is_pruning=prune, shown=steps)
                talk(f"done: {_count(steps)}")
            else:
                is_wanted = False
        except ValueError as refused:
            raise CheckFailed(f"{file}: {refused}") from None
    if json:
        print_json({"applied": is_wanted, "steps": [step.words for step in steps]})


def _read(file: Path) -> "tuple[Wanted, ...]":
    import tomllib

    from gateway.core.blueprint import wanted_by

    try:
        return wanted_by(tomllib.loads(file.read_text(encoding="utf-8")))
    except OSError as unreadable:
        raise CheckFailed(f"{file}: {unreadable.strerror}") from None
    except ValueError as refused:  # also what is no TOML, or no UTF-8
        raise CheckFailed(f"{file}: {refused}") from None


def _show(steps: "Sequence[Step]", file: Path) -> None:
    for step in steps:
        print(step.words)
    if not steps:
        talk(f"nothing to do: all is as {file} says")


def _is_confirmed() -> bool:
    if not sys.stdin.isatty():
        raise WrongUsage("nobody is there to ask: look at the plan with --plan, then say --yes")
    return typer.confirm("Do this?", err=True)


def _count(steps: "Sequence[Step]") -> str:
    return f"{len(steps)} step{'' if len(steps) == 1 else 's'}"
