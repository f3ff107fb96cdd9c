"""Who exists: the administrator's verbs. Not here: finding a request's tenant (`tenants`).

Every verb is synchronous and one transaction. A key's secret exists in the return value of the verb
that made it and nowhere else.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, RowMapping, insert, select, update

from gateway.adapters import schema
from gateway.adapters.changes import KEY, TENANT, record_change
from gateway.adapters.database import write_transaction
from gateway.core.tenant import ancestry, base62, digest, key_text, tenant_path

_ID_CHARACTERS = 12
_SECRET_CHARACTERS = 43  # 256 random bits


class TenantUnknown(LookupError):
    """No tenant has this path."""


class KeyUnknown(LookupError):
    """No key has this id, or it is revoked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantRow:
    """A tenant as it is kept. Times are Unix microseconds."""

    path: str
    created_at_us: int
    suspended_at_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """A key as it may be shown: without digest or secret."""

    id: str
    tenant: str
    name: str
    created_at_us: int
    expires_at_us: int | None
    revoked_at_us: int | None
    replaced_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedKey:
    """A new key, this once with its text."""

    id: str
    tenant: str
    text: str

    def __repr__(self) -> str:
        """Never the secret, whoever prints this."""
        return f"IssuedKey(id={self.id!r}, tenant={self.tenant!r})"


class Directory:
    """Who exists, and what may change about it."""

    def __init__(self, *, engine: Engine, now_us: Callable[[], int]) -> None:
        self._engine = engine
        self._now_us = now_us

    def create_tenant(self, path: str) -> list[str]:
        """Create a tenant and those above it; returns the paths that are new.

        Raises ValueError when the path is none.
        """
        paths = ancestry(tenant_path(path))
        with write_transaction(self._engine) as connection:
            present = set(
                connection.scalars(
                    select(schema.tenant.c.path).where(schema.tenant.c.path.in_(paths))
                )
            )
            new = [one for one in paths if one not in present]
            for one in new:
                parent, _, _ = one.rpartition("/")
                connection.execute(
                    insert(schema.tenant).values(
                        path=one, parent=parent or None, created_at_us=self._now_us()
                    )
                )
                record_change(connection, TENANT, one)
        return new

    def list_tenants(self) -> list[TenantRow]:
        """Every tenant, parents before children."""
        table = schema.tenant.c
        with self._engine.connect() as connection:
            rows = connection.execute(
                select(table.path, table.created_at_us, table.suspended_at_us).order_by(table.path)
            )
            return [TenantRow(**row) for row in rows.mappings()]

    def suspend(self, path: str) -> None:
        """Refuse the keys of a tenant and of those below it, until `resume`."""
        self._set_suspended(path, self._now_us())

    def resume(self, path: str) -> None:
        """Undo `suspend` for this tenant."""
        self._set_suspended(path, None)

    def _set_suspended(self, path: str, at_us: int | None) -> None:
        with write_transaction(self._engine) as connection:
            changed = connection.execute(
                update(schema.tenant)
                .where(schema.tenant.c.path == path)
                .values(suspended_at_us=at_us)
            )
            if changed.rowcount == 0:
                raise TenantUnknown(f"there is no tenant {path!r}")
            record_change(connection, TENANT, path)

    def issue_key(
        self, tenant: str, *, name: str = "", expires_at_us: int | None = None
    ) -> IssuedKey:
        """A new key of an existing tenant."""
        with write_transaction(self._engine) as connection:
            known = select(schema.tenant.c.path).where(schema.tenant.c.path == tenant)
            if connection.scalar(known) is None:
                raise TenantUnknown(f"there is no tenant {tenant!r}; create it first")
            return self._issue(connection, tenant, name=name, expires_at_us=expires_at_us)

    def _issue(
        self, connection: Connection, tenant: str, *, name: str, expires_at_us: int | None
    ) -> IssuedKey:
        key_id = _random_text(_ID_CHARACTERS)
        text = key_text(key_id, _random_text(_SECRET_CHARACTERS))
        connection.execute(
            insert(schema.api_key).values(
                id=key_id,
                tenant=tenant,
                name=name,
                digest=digest(text),
                created_at_us=self._now_us(),
                expires_at_us=expires_at_us,
            )
        )
        record_change(connection, KEY, key_id)
        return IssuedKey(id=key_id, tenant=tenant, text=text)

    def list_keys(self, tenant: str | None = None) -> list[KeyRow]:
        """Every key, or those of one tenant (not of those below it), oldest first."""
        columns = [schema.api_key.c[name] for name in KeyRow.__dataclass_fields__]
        query = select(*columns).order_by(schema.api_key.c.created_at_us, schema.api_key.c.id)
        if tenant is not None:
            query = query.where(schema.api_key.c.tenant == tenant)
        with self._engine.connect() as connection:
            return [KeyRow(**row) for row in connection.execute(query).mappings()]

    def revoke_key(self, key_id: str) -> None:
        """End a key. It takes no hold any more, and every process hears of it within seconds."""
        with write_transaction(self._engine) as connection:
            self._valid_key(connection, key_id)
            connection.execute(
                update(schema.api_key)
                .where(schema.api_key.c.id == key_id)
                .values(revoked_at_us=self._now_us())
            )
            record_change(connection, KEY, key_id)

    def rotate_key(self, key_id: str, *, overlap_seconds: float = 0) -> IssuedKey:
        """A new key in place of another, which stays valid for the overlap and no longer."""
        with write_transaction(self._engine) as connection:
            old = self._valid_key(connection, key_id)
            new = self._issue(
                connection, old["tenant"], name=old["name"], expires_at_us=old["expires_at_us"]
            )
            end_us = self._now_us() + round(overlap_seconds * 1_000_000)
            if old["expires_at_us"] is not None:
                end_us = min(end_us, old["expires_at_us"])
            connection.execute(
                update(schema.api_key)
                .where(schema.api_key.c.id == key_id)
                .values(expires_at_us=end_us, replaced_by=new.id)
            )
            record_change(connection, KEY, key_id)
        return new

    def _valid_key(self, connection: Connection, key_id: str) -> RowMapping:
        query = select(schema.api_key).where(schema.api_key.c.id == key_id)
        row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise KeyUnknown(f"there is no key {key_id!r}")
        if row["revoked_at_us"] is not None:
            raise KeyUnknown(f"the key {key_id!r} is revoked")
        return row


def _random_text(characters: int) -> str:
    return base62(secrets.randbelow(62**characters), characters)
