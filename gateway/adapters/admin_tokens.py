"""The tokens of administrators: made, listed, ended, and found when one is shown.

They are kept as keys are, by their digests. Each is read from the database when it is shown, so
that it ends at once when it is revoked. Not here: what a token may do (`core.grant`), or the
operator's own, which is a setting.
"""

import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import RowMapping, insert, select, update

from gateway.adapters.admin_schema import admin_token
from gateway.adapters.audit import PROGRAM, Deed, Facts, record_deed
from gateway.adapters.credentials import new_credential
from gateway.adapters.database import Source, reading, write_transaction
from gateway.adapters.directory import known_tenant
from gateway.core.grant import SCOPES, TOKEN_PREFIX, Grant, scopes_of
from gateway.core.moment import iso, iso_or_none
from gateway.core.tenant import digest, present


class TokenUnknown(LookupError):
    """No token has this id, or it is revoked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow:
    """A token as it may be shown: without digest or secret. Times are Unix microseconds."""

    id: str
    tenant: str | None  # None: the whole gateway
    name: str
    scopes: str
    created_at_us: int
    expires_at_us: int | None
    revoked_at_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """A new token, this once with its text."""

    id: str
    tenant: str | None
    scopes: tuple[str, ...]
    text: str

    def __repr__(self) -> str:
        """Never the secret, whoever prints this."""
        return f"IssuedToken(id={self.id!r}, tenant={self.tenant!r})"


class AdminTokens:
    """The administrator's verbs, and the look-up. Synchronous, one transaction each."""

    def __init__(self, *, engine: Source, now_us: Callable[[], int], author: str = PROGRAM) -> None:
        self._engine = engine
        self._now_us = now_us
        self._author = author

    def create(
        self,
        scopes: Iterable[str],
        *,
        tenant: str | None = None,
        name: str = "",
        expires_at_us: int | None = None,
    ) -> IssuedToken:
        """A new token. Raises TenantUnknown, or ValueError for a scope that is none."""
        wanted = scopes_of(scopes)
        given = tuple(scope for scope in SCOPES if scope in wanted)
        if tenant is not None and "prices" in given:
            raise ValueError("prices are the whole gateway's: no tenant's token can set them")
        token_id, text = new_credential(TOKEN_PREFIX)
        row = {
            "id": token_id,
            "tenant": tenant,
            "name": name,
            "scopes": ",".join(given),
            "created_at_us": self._now_us(),
            "expires_at_us": expires_at_us,
        }
        with write_transaction(self._engine) as connection:
            if tenant is not None:
                known_tenant(connection, tenant)
            connection.execute(insert(admin_token).values(**row, digest=digest(text)))
            after = {"name": name, "scopes": given, "expires_at": iso_or_none(expires_at_us)}
            record_deed(connection, self._deed("token.create", token_id, tenant, after=after))
        return IssuedToken(id=token_id, tenant=tenant, scopes=given, text=text)

    def list_tokens(self) -> list[TokenRow]:
        """Every token, without its secret, oldest first."""
        columns = [admin_token.c[name] for name in TokenRow.__dataclass_fields__]
        query = select(*columns).order_by(admin_token.c.created_at_us, admin_token.c.id)
        with reading(self._engine) as connection:
            return [TokenRow(**row) for row in connection.execute(query).mappings()]

    def revoke(self, token_id: str) -> None:
        """End a token, at once. Raises TokenUnknown."""
        with write_transaction(self._engine) as connection:
            now_us = self._now_us()
            ended = connection.execute(
                update(admin_token)
                .where(admin_token.c.id == token_id, admin_token.c.revoked_at_us.is_(None))
                .values(revoked_at_us=now_us)
                .returning(admin_token.c.tenant)
            ).one_or_none()
            if ended is None:
                raise TokenUnknown(f"there is no token {token_id!r}, or it is revoked")
            after = {"revoked_at": iso(now_us)}
            record_deed(connection, self._deed("token.revoke", token_id, ended.tenant, after=after))

    def find(self, text: str) -> Grant | None:
        """What a token gives, as it is shown; None where it is none, has ended or is revoked."""
        presented = present(text, prefix=TOKEN_PREFIX)
        if presented is None:
            return None
        row = self._row(presented.id)
        is_same = hmac.compare_digest(presented.digest, row["digest"] if row else b"")
        return self._grant(row) if row is not None and is_same else None

    def find_by_id(self, token_id: str) -> Grant | None:
        """What a token gives that was shown before: a session's, of which only the id is kept."""
        row = self._row(token_id)
        return None if row is None else self._grant(row)

    def has_any(self) -> bool:
        """Whether there is a token that is in force: then whoever shows none is told so."""
        with reading(self._engine) as connection:
            rows = connection.execute(
                select(admin_token).where(admin_token.c.revoked_at_us.is_(None))
            )
            return any(self._grant(row) is not None for row in rows.mappings())

    def _row(self, token_id: str) -> RowMapping | None:
        query = select(admin_token).where(admin_token.c.id == token_id)
        with reading(self._engine) as connection:
            return connection.execute(query).mappings().one_or_none()

    def _grant(self, row: RowMapping) -> Grant | None:
        end_us = row["expires_at_us"]
        if row["revoked_at_us"] is not None or (end_us is not None and end_us <= self._now_us()):
            return None
        named = f" ({row['name']})" if row["name"] else ""
        scopes = frozenset(row["scopes"].split(",")) & SCOPES.keys()
        return Grant(by=f"token {row['id']}{named}", tenant=row["tenant"], scopes=scopes)

    def _deed(self, action: str, token_id: str, tenant: str | None, *, after: Facts) -> Deed:
        return Deed(
            author=self._author,
            at_us=self._now_us(),
            action=action,
            subject=token_id,
            tenant=tenant,
            after=after,
        )


def token_document(row: TokenRow) -> dict[str, object]:
    """A token as scripts know it."""
    return {
        "id": row.id,
        "tenant": row.tenant,
        "name": row.name,
        "scopes": row.scopes.split(","),
        "created_at": iso(row.created_at_us),
        "expires_at": iso_or_none(row.expires_at_us),
        "revoked_at": iso_or_none(row.revoked_at_us),
    }
