"""Check-ups of what the gateway must reach: its database, its ports and its upstream.

Each takes settings, returns findings and ends within SECONDS_MAX. Not here: the machine's own
(`doctor_machine`).
"""

import asyncio
import http.client
import socket
import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gateway.cli import access
from gateway.cli.doctor_machine import filesystem, is_network, kept, nearest_existing
from gateway.cli.exits import CommandStopped
from gateway.cli.findings import Finding, fail, ok, warn

if TYPE_CHECKING:
    from gateway.adapters.upstream import Upstream
    from gateway.config.settings import Settings

SECONDS_MAX = 5.0
CLOCK_SECONDS_MAX = 30
SQLITE = "sqlite:///"
OK, UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 200, 401, 403, 404


def database(settings: "Settings") -> list[Finding]:
    """It answers, has this version's schema, and takes writes."""
    from gateway.adapters.database import write_transaction
    from gateway.config.fields import without_password

    url = settings.database.url
    file = Path(url.removeprefix(SQLITE)) if url.startswith(SQLITE) else None
    if file is not None and (found := _no_file(file)):
        return found
    try:
        with access.database(settings) as engine, write_transaction(engine):
            pass
    except CommandStopped as stopped:
        return fail("database", str(stopped), "`gateway migrate` creates and upgrades the schema")
    works = ok("database", f"{without_password(url)}: this version's schema, writable")
    return works if file is None else kept("database", file.parent) or works


def _no_file(file: Path) -> list[Finding]:
    kind = filesystem(nearest_existing(file.parent))
    if is_network(kind):
        fix = "move it to a local disk, or use PostgreSQL"
        return fail("database", f"{file} is on {kind}, where SQLite loses data", fix)
    if not file.exists():
        fix = "`gateway serve` creates it at its first start, `gateway migrate` now"
        return warn("database", f"there is none at {file} yet", fix)
    return []


def ports(settings: "Settings") -> list[Finding]:
    """Free, or a gateway's already."""
    asked = [settings.port, *([] if settings.admin.port is None else [settings.admin.port])]
    return [found for port in asked for found in _port(settings.host, port)]


def _port(host: str, port: int) -> list[Finding]:
    where = f"{host}:{port}"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except (OSError, OverflowError) as taken:
        if _lives(host, port):
            return ok("port", f"{where}: a gateway runs there")
        fix = "stop what listens there, or set GATEWAY_HOST and GATEWAY_PORT"
        return fail("port", f"{where}: {getattr(taken, 'strerror', None) or taken}", fix)
    return ok("port", f"{where}: free")


def _lives(host: str, port: int) -> bool:
    own = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - read, not bound
    connection = http.client.HTTPConnection(own, port, timeout=SECONDS_MAX / 2)
    try:
        connection.request("GET", "/livez")
        answer = connection.getresponse()
        return answer.status == OK and b'"status"' in answer.read(100)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def upstream(settings: "Settings") -> list[Finding]:
    """Its name is known, it answers, it takes the key, and it has our time."""
    from gateway.adapters.upstream import CaFileUnusable
    from gateway.config.secret import SecretUnreadable
    from gateway.core.errors import UpstreamUnavailable

    host = urlsplit(settings.upstream.proxy_url or settings.upstream.base_url).hostname or ""
    try:
        # Here, in a thread that may be left behind: within asyncio a lookup cannot be.
        socket.getaddrinfo(host, None)
        status, date = asyncio.run(_asked(settings))
    except socket.gaierror as unknown:
        fix = "see GATEWAY_UPSTREAM_BASE_URL, and this machine's name servers"
        return fail("upstream", f"the name {host} is not known: {unknown.strerror}", fix)
    except SecretUnreadable as unreadable:
        return fail("upstream key", str(unreadable), "let the file hold it, and be readable")
    except (UpstreamUnavailable, TimeoutError) as unreachable:
        said = f"{host} does not answer: {str(unreachable) or f'nothing within {SECONDS_MAX:g} s'}"
        return fail("upstream", said, "see the address, firewalls, and GATEWAY_UPSTREAM_PROXY_URL")
    except CaFileUnusable as unusable:
        return fail("upstream", str(unusable), "let it hold PEM certificates, and be readable")
    reached = ok("upstream", f"{settings.upstream.base_url} answers")
    return [*reached, *_key(settings, status), *_clock(date, time.time())]


async def _asked(settings: "Settings") -> tuple[int, str]:
    """The status of `GET /models`, and the moment of the answer as its head tells it."""
    from gateway.core.headers import first

    async with asyncio.timeout(SECONDS_MAX):
        door = _door(settings)
        try:
            reply = await door.send(method="GET", path="/models", headers=[], body=b"")
            await reply.aclose()
        finally:
            await door.aclose()
    return reply.status, first([(name.lower(), value) for name, value in reply.headers], b"date")


def _door(settings: "Settings") -> "Upstream":
    from gateway.adapters.upstream import Timeouts, Upstream, transport_for
    from gateway.config.secret import CurrentSecret

    chosen = settings.upstream
    return Upstream(
        base_url=chosen.base_url,
        credential=CurrentSecret(chosen.api_key, chosen.api_key_file),
        transport=transport_for(
            kind=chosen.transport,
            connections_max=1,
            ca_file=None if chosen.ca_file is None else str(chosen.ca_file),
            proxy_url=chosen.proxy_url,
        ),
        timeouts=Timeouts(connect_seconds=SECONDS_MAX, first_byte_seconds=SECONDS_MAX),
    )


def _key(settings: "Settings", status: int) -> list[Finding]:
    check, chosen = "upstream key", settings.upstream
    if chosen.api_key is None and chosen.api_key_file is None:
        return warn(check, "none is set", "set GATEWAY_UPSTREAM_API_KEY_FILE")
    if status == UNAUTHORIZED:
        fix = "set GATEWAY_UPSTREAM_API_KEY, or …_FILE, to a key of the upstream's"
        return fail(check, "refused: GET /models is answered with 401", fix)
    if status == OK:
        return ok(check, "accepted")
    fix = {
        FORBIDDEN: "a restricted key may still create responses: see its permissions",
        NOT_FOUND: "GATEWAY_UPSTREAM_BASE_URL should end in the API's version, as /v1",
    }.get(status, "see the upstream's own status")
    return warn(check, f"not known: GET /models is answered with {status}", fix)


def _clock(date: str, now: float) -> list[Finding]:
    try:
        off = round(now - parsedate_to_datetime(date).timestamp())
    except ValueError:
        return warn("clock", "the upstream tells no time to compare with", "see that NTP runs")
    said = f"{abs(off)} s {'ahead of' if off > 0 else 'behind'} the upstream's"
    if abs(off) > CLOCK_SECONDS_MAX:
        fix = "let NTP set it: prices, budgets and keys go by it"
        return warn("clock", said, fix)
    return ok("clock", said)
