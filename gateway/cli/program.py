"""The command `gateway`: which verbs there are, and how each mistake ends.

A verb's module is loaded when it is called, and its heavy imports wait for its run: `--version`
answers at once. Not here: any verb, each is the module of its noun.
"""

import difflib
import importlib
from collections.abc import Sequence
from typing import Annotated

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

from gateway import __version__
from gateway.cli.exits import WrongUsage, exit_code
from gateway.cli.options import verb_group

# In the order of `--help`. A module has an `app` of verbs, or a function of its own name.
NOUNS = (
    "serve", "demo", "migrate", "tenants", "keys", "policies", "budgets", "apply",
    "usage", "entries", "request", "advise", "holds", "ledger", "simulate", "prices",
    "tokens", "audit", "config", "doctor",
)  # fmt: skip


class _LazyVerbs(TyperGroup):
    """Verbs that are imported when somebody asks for them."""

    def list_commands(self, ctx: object) -> list[str]:  # noqa: ARG002 - Typer passes it
        return list(NOUNS)

    def get_command(self, ctx: object, cmd_name: str) -> TyperCommand | TyperGroup:  # noqa: ARG002 - as above
        if cmd_name not in NOUNS:
            raise WrongUsage(f"there is no verb {cmd_name!r}{_suggestion(cmd_name)}")
        module = importlib.import_module(f"gateway.cli.{cmd_name}")
        app = getattr(module, "app", None)
        if app is None:
            app = verb_group()
            app.command(cmd_name)(getattr(module, cmd_name))
        command = typer.main.get_command(app)
        assert isinstance(command, TyperCommand | TyperGroup)
        command.name = cmd_name
        return command


def _suggestion(name: str) -> str:
    close = difflib.get_close_matches(name, NOUNS, n=1)
    return f"; did you mean `gateway {close[0]}`?" if close else "; `gateway --help` lists all"


program = verb_group(cls=_LazyVerbs)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        print(f"gateway {__version__}")
        raise typer.Exit


@program.callback()
def gateway(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="The version.")
    ] = False,
) -> None:
    """A reverse proxy for the OpenAI Responses API that knows what each request cost."""
    del version  # its callback has answered


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; the exit code."""
    return exit_code(lambda: program(arguments, prog_name="gateway"))
