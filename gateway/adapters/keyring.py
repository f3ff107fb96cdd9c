"""A key as the database has it now: who asks for it has its word. Not here: caching (`tenants`)."""

from collections.abc import Collection
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
    return Finding(key=standing_keys(connection, [key_id]).get(key_id), newest=newest)


def standing_keys(connection: Connection, key_ids: Collection[str]) -> dict[str, StandingKey]:
    """Those of the keys that stand, by their ids; two questions, however many are asked for."""
    table = schema.api_key.c
    query = select(table.id, table.tenant, table.digest, table.expires_at_us)
    keys = connection.execute(
        query.where(table.id.in_(key_ids), table.revoked_at_us.is_(None))
    ).all()
    paths = {path for key in keys for path in ancestry(key.tenant)}
    suspended = connection.scalars(
        select(schema.tenant.c.path).where(
            schema.tenant.c.path.in_(paths), schema.tenant.c.suspended_at_us.is_not(None)
        )
    ).all()
    return {
        key.id: StandingKey(
            tenant=Tenant(path=key.tenant, key_id=key.id),
            digest=bytes(key.digest),
            expires_at_us=key.expires_at_us,
        )
        for key in keys
        if set(suspended).isdisjoint(ancestry(key.tenant))
    }
