"""The console as the settings want it. Not here: its routes (`router`)."""

from collections.abc import Callable

from fastapi import APIRouter

from gateway.adapters.admin_tokens import AdminTokens
from gateway.adapters.sessions import Sessions
from gateway.app.attempts import FailedAttempts
from gateway.app.console.gate import Gate
from gateway.app.console.page import Sources
from gateway.app.console.router import console_router
from gateway.app.console.viewer import Tokens
from gateway.app.parts import Parts
from gateway.core.address import is_loopback, networks

FAILED_LOGINS_PER_MINUTE_MAX = 10  # of an address, loopback too


def console_for(parts: Parts, root_token: Callable[[], str]) -> APIRouter:
    """`root_token` is the operator's own; those that were created are in the database."""
    settings, now_us = parts.settings, parts.ledger.now_us
    gate = Gate(
        sessions=Sessions(
            engine=parts.engine, now_us=now_us, seconds=settings.admin.session_seconds_max
        ),
        credentials=Tokens(root_token, AdminTokens(engine=parts.engine, now_us=now_us)),
        attempts=FailedAttempts(
            per_minute_max=FAILED_LOGINS_PER_MINUTE_MAX,
            trusted=networks(settings.ingress.trusted_proxies),
            is_sparing=False,
        ),
        is_local=is_loopback(settings.host),
    )
    sources = Sources(engine=parts.engine, now_us=now_us, rows_max=settings.limits.rows_per_page)
    return console_router(sources, gate=gate, live=parts.live, book=parts.rules.book)
