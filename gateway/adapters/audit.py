"""Who changed what, and when: written with the change, in its transaction; never changed again.

Every verb of the administrator's records what it did here, whoever called it: the command line, the
API or the console. No secret is in it. Not here: the log that caches follow (`changes`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from gateway.adapters.admin_schema import audit
from gateway.adapters.database import Source, reading
from gateway.adapters.reports import is_within
from gateway.core.moment import iso

PROGRAM = "gateway"  # who acts where no person was named
Facts = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One change. `tenant` None: it is the whole gateway's; `before` None: there was nothing."""

    author: str
    at_us: int
    action: str
    subject: str
    tenant: str | None
    before: Facts | None = None
    after: Facts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """A deed as it was recorded, with its number."""

    n: int
    deed: Deed


def record_deed(connection: Connection, deed: Deed) -> None:
    """Append it, in the transaction of the change itself."""
    row = {
        "at_us": deed.at_us,
        "author": deed.author,
        "action": deed.action,
        "subject": deed.subject,
        "tenant": deed.tenant,
        "before": _text(deed.before),
        "after": _text(deed.after),
    }
    connection.execute(insert(audit).values(**row))


def audit_rows(
    source: Source,
    *,
    tenant: str | None = None,
    since_us: int | None = None,
    before: int | None = None,
    limit: int | None = None,
) -> list[AuditRow]:
    """Deeds, newest first; of a tenant's those of all below it too. The next page is `before` an
    `n`.
    """
    query = select(audit).order_by(audit.c.n.desc()).limit(limit)
    if tenant is not None:
        query = query.where(is_within(audit.c.tenant, tenant))
    if since_us is not None:
        query = query.where(audit.c.at_us >= since_us)
    if before is not None:
        query = query.where(audit.c.n < before)
    with reading(source) as connection:
        rows = connection.execute(query).mappings().all()
    return [
        AuditRow(
            n=row["n"],
            deed=Deed(
                **{name: row[name] for name in ("at_us", "author", "action", "subject", "tenant")},
                before=_facts(row["before"]),
                after=_facts(row["after"]),
            ),
        )
        for row in rows
    ]


def audit_document(row: AuditRow) -> dict[str, object]:
    """A deed as scripts know it."""
    deed = row.deed
    return {
        "number": row.n,
        "at": iso(deed.at_us),
        "by": deed.author,
        "action": deed.action,
        "subject": deed.subject,
        "tenant": deed.tenant,
        "before": deed.before,
        "after": deed.after,
    }


def _text(facts: Facts | None) -> str | None:
    return None if facts is None else json.dumps(facts, ensure_ascii=False)


def _facts(text: str | None) -> Facts | None:
    return None if text is None else json.loads(text)
