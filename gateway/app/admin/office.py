"""Who may ask the admin API, and the few threads in which its SQL runs. Not here: any route.

A token is asked for before anything else of a request is looked at. Without one, this machine alone
may read, and only while no token is configured or was created. A database that hangs takes these
threads and no others: the data plane does not notice.
"""

import asyncio
import hmac
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import ParamSpec, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DataError, SQLAlchemyError

from gateway.adapters.admin_tokens import AdminTokens
from gateway.adapters.outages import is_outage
from gateway.app.attempts import FailedAttempts
from gateway.config.callers import Tenants
from gateway.core.address import is_loopback
from gateway.core.errors import InvalidRequest, LedgerUnavailable, Unauthorized
from gateway.core.grant import READ, SCOPES, Grant
from gateway.core.headers import Headers
from gateway.core.price_book import PriceBook

THREADS_MAX = 4
ANSWER_SECONDS_MAX = 8.0  # of a database: longer than any of its own limits for one statement

FORWARDED = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via"})

ROOT = Grant(by="the operator's token", tenant=None, scopes=frozenset(SCOPES))
NEIGHBOUR = Grant(by="this machine", tenant=None, scopes=frozenset({READ}))
_HOW = (
    "Send a token as 'Authorization: Bearer gwa_…'; `gateway tokens create` makes one, or set"
    " GATEWAY_ADMIN_TOKEN_FILE."
)

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Who is let in: by which token of the operator's, and whether this machine needs none."""

    root_token: Callable[[], str]
    is_local: bool  # nobody else can reach the port
    attempts: FailedAttempts


class Office:
    """What all requests of the admin API share. `now_us` is the database's clock."""

    def __init__(
        self,
        *,
        engine: Engine,
        now_us: Callable[[], int],
        door: Door,
        files: PriceBook,
        given: Tenants,
    ) -> None:
        self.engine = engine
        self.now_us = now_us
        self.files = files  # the price book as files have it
        self.given = given  # to each new tenant
        self._door = door
        self._tokens = AdminTokens(engine=engine, now_us=now_us)
        self._threads = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="admin")

    async def run(self, what: Callable[P, T], *words: P.args, **named: P.kwargs) -> T:
        """Ask the database. Raises LedgerUnavailable where it is away, or too slow.

        What was begun and not waited for may still be done.
        """
        work = partial(what, *words, **named)
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except TimeoutError:
            raise LedgerUnavailable(
                "The database does not answer; what was asked for may still be done."
            ) from None
        except DataError:
            raise InvalidRequest("A text or a number is none that the database takes.") from None
        except SQLAlchemyError as error:
            if not is_outage(error):
                raise
            raise LedgerUnavailable("The database is away; try again shortly.") from error

    async def admit(self, headers: Headers, *, peer: str, is_reading: bool) -> Grant:
        """What whoever asks may do; `peer` is the address at the connection's other end.

        Raises Unauthorized, TooManyFailedAttempts instead of it, or InvalidRequest for two tokens.
        """
        shown = [value for name, value in headers if name == b"authorization"]
        if len(shown) > 1:
            raise InvalidRequest("Send exactly one Authorization header.", code="invalid_headers")
        if not shown:
            if is_reading and await self._is_open(headers):
                return NEIGHBOUR
            raise Unauthorized(f"No admin token was sent. {_HOW}", code="invalid_admin_token")
        scheme, _, text = shown[0].decode("latin-1").partition(" ")
        self._door.attempts.check(peer, headers)
        grant = await self.grant_of(text.strip()) if scheme.lower() == "bearer" else None
        if grant is None:
            self._door.attempts.failed(peer, headers)
            raise Unauthorized(
                f"The admin token is unknown, expired or revoked. {_HOW}",
                code="invalid_admin_token",
            )
        return grant

    async def grant_of(self, text: str) -> Grant | None:
        """What a token gives, the operator's or one that was created; None where it is none."""
        root = self._door.root_token()
        if root and hmac.compare_digest(text.encode(), root.encode()):
            return ROOT
        return await self.run(self._tokens.find, text)

    async def session_grant(self, token_id: str) -> Grant | None:
        """What a created token gives that was shown before; None where it has ended since."""
        return await self.run(self._tokens.find_by_id, token_id)

    async def _is_open(self, headers: Headers) -> bool:
        """Whether this machine may read without a token.

        By its own name only: a page in a browser could have another name point here. Not through a
        proxy that says it is one: behind it anybody may stand.
        """
        hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
        is_own_name = len(hosts) == 1 and is_loopback(_host_of(hosts[0]))
        is_passed_on = any(name in FORWARDED for name, _ in headers)
        is_local = self._door.is_local and is_own_name and not is_passed_on
        if not is_local or self._door.root_token():
            return False
        return not await self.run(self._tokens.has_any)

    def close(self) -> None:
        """Ask nothing any more; what hangs is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _host_of(header: str) -> str:
    """A Host header less its port."""
    name, colon, port = header.rpartition(":")
    return name if colon and port.isdigit() else header
