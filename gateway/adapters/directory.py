"""Who exists: the administrator's verbs. Not here: finding a request's tenant (`tenants`).

Every verb is synchronous and one transaction. A key's secret exists in the return value of the verb
that made it and nowhere else.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, Select, insert, select, tuple_, update

from gateway.adapters import schema
from gateway.adapters.audit import PROGRAM, Deed, Facts, record_deed
from gateway.adapters.changes import KEY, TENANT, record_change
from gateway.adapters.credentials import new_credential
from gateway.adapters.database import Source, reading, write_transaction
from gateway.adapters.reports import is_within
from gateway.core.moment import iso, iso_or_none
from gateway.core.tenant import KEY_PREFIX, ancestry, digest, tenant_path


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
    """Who exists, and what may change about it. `author` is who changes it."""

    def __init__(self, *, engine: Source, now_us: Callable[[], int], author: str = PROGRAM) -> None:
        self._engine = engine
        self._now_us = now_us
        self._author = author

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
                self._record(connection, "tenant.create", one, one, after={"path": one})
        return new

    def list_tenants(
        self, within: str | None = None, *, after: str | None = None, limit: int | None = None
    ) -> list[TenantRow]:
        """Every tenant, or one with those below it, parents before children; a page is `after` a
        path.
        """
        table = schema.tenant.c
        query = select(table.path, table.created_at_us, table.suspended_at_us).limit(limit)
        if within is not None:
            query = query.where(is_within(table.path, within))
        if after is not None:
            query = query.where(table.path > after)
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(table.path))
            return [TenantRow(**row) for row in rows.mappings()]

    def find_tenant(self, path: str) -> TenantRow:
        """One tenant. Raises TenantUnknown."""
        with reading(self._engine) as connection:
            return known_tenant(connection, path)

    def suspend(self, path: str) -> None:
        """Refuse the keys of a tenant and of those below it, until `resume`."""
        self._set_suspended(path, self._now_us())

    def resume(self, path: str) -> None:
        """Undo `suspend` for this tenant."""
        self._set_suspended(path, None)

    def _set_suspended(self, path: str, at_us: int | None) -> None:
        with write_transaction(self._engine) as connection:
            before_us = known_tenant(connection, path).suspended_at_us
            connection.execute(
                update(schema.tenant)
                .where(schema.tenant.c.path == path)
                .values(suspended_at_us=at_us)
            )
            record_change(connection, TENANT, path)
            self._record(
                connection,
                "tenant.resume" if at_us is None else "tenant.suspend",
                path,
                path,
                before={"suspended_at": iso_or_none(before_us)},
                after={"suspended_at": iso_or_none(at_us)},
            )

    def issue_key(
        self, tenant: str, *, name: str = "", expires_at_us: int | None = None
    ) -> IssuedKey:
        """A new key of an existing tenant."""
        with write_transaction(self._engine) as connection:
            hint = f"; create it first: `gateway tenants create {tenant}`"
            known_tenant(connection, tenant, hint=hint)
            return self._issue(connection, tenant, name=name, expires_at_us=expires_at_us)

    def _issue(
        self, connection: Connection, tenant: str, *, name: str, expires_at_us: int | None
    ) -> IssuedKey:
        key_id, text = new_credential(KEY_PREFIX)
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
        after = {"name": name, "expires_at": iso_or_none(expires_at_us)}
        self._record(connection, "key.create", key_id, tenant, after=after)
        return IssuedKey(id=key_id, tenant=tenant, text=text)

    def list_keys(
        self,
        tenant: str | None = None,
        *,
        within: str | None = None,
        after: tuple[int, str] | None = None,
        limit: int | None = None,
    ) -> list[KeyRow]:
        """Every key, or those of one tenant (not of those below it, which `within` has too).

        Oldest first; a page is `after` the last row's created_at_us and id.
        """
        table = schema.api_key.c
        query = _keys().order_by(table.created_at_us, table.id).limit(limit)
        if tenant is not None:
            query = query.where(table.tenant == tenant)
        if within is not None:
            query = query.where(is_within(table.tenant, within))
        if after is not None:
            query = query.where(tuple_(table.created_at_us, table.id) > tuple_(*after))
        with reading(self._engine) as connection:
            return [KeyRow(**row) for row in connection.execute(query).mappings()]

    def find_key(self, key_id: str) -> KeyRow:
        """One key, also one that has ended. Raises KeyUnknown."""
        with reading(self._engine) as connection:
            query = _keys().where(schema.api_key.c.id == key_id)
            row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise KeyUnknown(f"there is no key {key_id!r}")
        return KeyRow(**row)

    def revoke_key(self, key_id: str) -> None:
        """End a key. It takes no hold any more, and every process hears of it within seconds."""
        with write_transaction(self._engine) as connection:
            key, now_us = self._valid_key(connection, key_id), self._now_us()
            connection.execute(
                update(schema.api_key)
                .where(schema.api_key.c.id == key_id)
                .values(revoked_at_us=now_us)
            )
            record_change(connection, KEY, key_id)
            after = {"revoked_at": iso(now_us)}
            self._record(connection, "key.revoke", key_id, key["tenant"], after=after)

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
            self._record(
                connection,
                "key.rotate",
                key_id,
                old["tenant"],
                before={"expires_at": iso_or_none(old["expires_at_us"])},
                after={"expires_at": iso(end_us), "replaced_by": new.id},
            )
        return new

    def _valid_key(self, connection: Connection, key_id: str) -> RowMapping:
        query = select(schema.api_key).where(schema.api_key.c.id == key_id)
        row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise KeyUnknown(f"there is no key {key_id!r}")
        if row["revoked_at_us"] is not None:
            raise KeyUnknown(f"the key {key_id!r} is revoked")
        return row

    def _record(
        self,
        connection: Connection,
        action: str,
        subject: str,
        tenant: str,
        **facts: Facts,
    ) -> None:
        deed = Deed(
            author=self._author,
            at_us=self._now_us(),
            action=action,
            subject=subject,
            tenant=tenant,
            **facts,
        )
        record_deed(connection, deed)


def known_tenant(connection: Connection, path: str, *, hint: str = "") -> TenantRow:
    """A tenant as it is kept. Raises TenantUnknown."""
    table = schema.tenant.c
    query = select(table.path, table.created_at_us, table.suspended_at_us)
    row = connection.execute(query.where(table.path == path)).mappings().one_or_none()
    if row is None:
        raise TenantUnknown(f"there is no tenant {path!r}{hint}")
    return TenantRow(**row)


def _keys() -> Select[tuple[object, ...]]:
    return select(*(schema.api_key.c[name] for name in KeyRow.__dataclass_fields__))
