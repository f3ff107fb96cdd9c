"""Sessions of people who look at the console: on the server, so that one can be ended there.

The database keeps a digest of what the browser shows, and a seal by which a session ends with the
credential that began it. Every worker and replica reads the same rows. Not here: who may begin one
(`app.console.gate`).
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine, delete, insert, select

from gateway.adapters.console_schema import console_session
from gateway.adapters.database import write_transaction

_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session that is in force. `credential` names what was shown at its beginning."""

    credential: str
    seal: bytes


class Sessions:
    """Synchronous, a transaction each. `seconds`: how long one lasts, whatever is done in it."""

    def __init__(self, *, engine: Engine, now_us: Callable[[], int], seconds: float) -> None:
        self.seconds = seconds
        self._engine = engine
        self._now_us = now_us

    def begin(self, credential: str, proof: str) -> str:
        """A new session's secret, which exists nowhere else; those that have ended are deleted."""
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        now_us, table = self._now_us(), console_session
        with write_transaction(self._engine) as connection:
            connection.execute(delete(table).where(table.c.expires_at_us <= now_us))
            connection.execute(
                insert(table).values(
                    digest=_digest(secret),
                    credential=credential,
                    seal=seal_of(secret, proof),
                    created_at_us=now_us,
                    expires_at_us=now_us + round(self.seconds * 1_000_000),
                )
            )
        return secret

    def find(self, secret: str) -> Session | None:
        """The session of this secret, while it lasts."""
        table = console_session.c
        query = select(table.credential, table.seal).where(
            table.digest == _digest(secret), table.expires_at_us > self._now_us()
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else Session(credential=row.credential, seal=row.seal)

    def end(self, secret: str) -> None:
        """End it, on every worker at once."""
        table = console_session
        with write_transaction(self._engine) as connection:
            connection.execute(delete(table).where(table.c.digest == _digest(secret)))


def seal_of(secret: str, proof: str) -> bytes:
    """What ties a session to the text that was shown for it; alone it tells nothing of it."""
    return hmac.digest(secret.encode(), b"seal:" + proof.encode(), "sha256")


def form_token(secret: str) -> str:
    """What the forms of a session carry, and no other site can know."""
    return hmac.new(secret.encode(), b"form", "sha256").hexdigest()


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
