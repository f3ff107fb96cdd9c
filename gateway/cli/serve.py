"""`gateway serve`: the gateway in the foreground, until SIGTERM or Ctrl-C."""

from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.access import database, settings_from
from gateway.cli.exits import CommandStopped, SettingsRefused, Unreachable
from gateway.cli.options import ConfigOption
from gateway.cli.output import talk

if TYPE_CHECKING:
    from gateway.app import server
    from gateway.config.settings import Settings


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="The port; 0 takes a free one.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that share the port.")] = None,
    config: ConfigOption = None,
) -> None:
    """Relay requests, and record what each one costs."""
    settings = settings_from(config, host=host, port=port, workers=workers)
    if settings.upstream.api_key is None and settings.upstream.api_key_file is None:
        talk("gateway: warning: no upstream key: set GATEWAY_UPSTREAM_API_KEY, or …_FILE")

    from gateway.adapters.logs import configure_logs
    from gateway.app import server
    from gateway.core.address import is_loopback

    admin = settings.admin
    if admin.token is None and admin.token_file is None and not is_loopback(settings.host):
        talk(
            "gateway: warning: no GATEWAY_ADMIN_TOKEN_FILE: off loopback /metrics refuses"
            " everybody; /admin/v1 and the console take only what `gateway tokens create` made"
        )
    with database(settings, may_create=True):
        pass  # what is wrong with it is said here, in one line
    _make_state_dir(settings.state_dir)
    configure_logs(settings.log.level, json=settings.log.format == "json")
    try:
        listeners = server.listen(settings)
    except OSError as taken:
        raise CommandStopped(
            f"cannot listen on {taken.filename}: {taken.strerror}; name another place by --host "
            "and --port (0 takes a free port)"
        ) from None
    if settings.workers == 1:
        _serve(settings, listeners)
    else:
        _serve_together(settings, listeners)


def _serve(
    settings: "Settings", listeners: list[socket], worker: "server.Worker | None" = None
) -> None:
    from gateway.adapters.minutes import StoreUnusable
    from gateway.adapters.price_format import PriceFileInvalid
    from gateway.adapters.upstream import CaFileUnusable
    from gateway.adapters.webhook import WebhookUnusable
    from gateway.app import server
    from gateway.app.devices import TelemetryUnusable
    from gateway.config.secret import SecretUnreadable

    unusable = (
        CaFileUnusable,
        PriceFileInvalid,
        SecretUnreadable,
        StoreUnusable,
        TelemetryUnusable,
        WebhookUnusable,
    )
    try:
        server.serve(settings, listeners, worker=worker)
    except unusable as refused:
        raise SettingsRefused(str(refused)) from None


def _serve_together(settings: "Settings", listeners: list[socket]) -> None:
    from gateway.adapters.metric_files import Share, metric_folder
    from gateway.app import server
    from gateway.cli.workers import Place, Workers

    with metric_folder(settings.workers, spare=settings.state_dir) as folder:

        def work(place: Place) -> None:
            share = Share(folder=folder, number=place.number)
            worker = server.Worker(share=share, parent=place.parent, tell_ready=place.tell_ready)
            _serve(settings, listeners, worker)

        def stop_listening() -> None:
            for listener in listeners:
                listener.close()

        Workers(
            settings.workers,
            work,
            on_ready=lambda: server.announce(listeners),
            on_lost=lambda number: Share(folder=folder, number=number).end(),
            on_end=stop_listening,
        ).run()


def _make_state_dir(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as unusable:
        raise Unreachable(f"state_dir: {folder}: {unusable.strerror}") from None
