"""`gateway serve`: the gateway in the foreground, until SIGTERM or Ctrl-C."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.access import database, settings_from
from gateway.cli.exits import CommandStopped, SettingsRefused, Unreachable, WrongUsage
from gateway.cli.options import ConfigOption
from gateway.cli.output import talk


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="The port; 0 takes a free one.")] = None,
    workers: Annotated[int, typer.Option(help="Processes; one for now.")] = 1,
    config: ConfigOption = None,
) -> None:
    """Relay requests, and record what each one costs."""
    if workers != 1:
        raise WrongUsage("--workers takes 1: for more, run several gateways behind a balancer")
    settings = settings_from(config, host=host, port=port)
    if settings.upstream.api_key is None and settings.upstream.api_key_file is None:
        talk("gateway: warning: no upstream key: set GATEWAY_UPSTREAM_API_KEY, or …_FILE")

    from gateway.adapters.logs import configure_logs
    from gateway.adapters.pricefile import PriceFileInvalid
    from gateway.adapters.upstream import CaFileUnusable
    from gateway.app import server
    from gateway.config.secret import SecretUnreadable

    with database(settings, may_create=True):
        pass  # what is wrong with it is said here, in one line
    _make_state_dir(settings.state_dir)
    configure_logs(settings.log.level, json=settings.log.format == "json")
    try:
        server.serve(settings)
    except OSError as taken:
        raise CommandStopped(f"cannot listen on {taken.filename}: {taken.strerror}") from None
    except (CaFileUnusable, PriceFileInvalid, SecretUnreadable) as refused:
        raise SettingsRefused(str(refused)) from None


def _make_state_dir(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as unusable:
        raise Unreachable(f"state_dir: {folder}: {unusable.strerror}") from None
