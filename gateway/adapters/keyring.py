"""A key as the database has it now: who asks for it has its word. Not here: caching (`tenants`)."""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from gateway.adapters import schema
from gateway.adapters.changes import newest_change
from gateway.core.tenant import Tenant, ancestry


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingKey:
    """A key that is not revoked, of a tenant that is not suspended."""

    tenant: Tenant
    digest: bytes
    expires_at_us: int | None

    def is_expired(self, now_us: int) -> bool:
        """Whether its time is over."""
        return self.expires_at_us is not None and self.expires_at_us <= now_us


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found, and up to which change it is true."""

    key: StandingKey | None
    newest: int


def find_key(connection: Connection, key_id: str) -> Finding:
    """The key, if it stands."""
    # First: a change that comes in between makes the key newer than the number, never older.
    newest = newest_change(connection)
    return Finding(key=_standing(connection, key_id), newest=newest)


def _standing(connection: Connection, key_id: str) -> StandingKey | None:
    table = schema.api_key.c
    key = connection.execute(
        select(table.tenant, table.digest, table.expires_at_us).where(
            table.id == key_id, table.revoked_at_us.is_(None)
        )
    ).one_or_none()
    if key is None:
        return None
    suspended = select(schema.tenant.c.path).where(
        schema.tenant.c.path.in_(ancestry(key.tenant)),
        schema.tenant.c.suspended_at_us.is_not(None),
    )
    if connection.execute(suspended).first() is not None:
        return None
    return StandingKey(
        tenant=Tenant(path=key.tenant, key_id=key_id),
        digest=bytes(key.digest),
        expires_at_us=key.expires_at_us,
    )
