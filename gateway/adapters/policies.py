"""Policies as administrators write them: one document for a tenant or a key.

Not here: what a request finds in force (`policy_cache`), or what a document may say (`core`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from gateway.adapters import schema
from gateway.adapters.audit import PROGRAM, Deed, record_deed
from gateway.adapters.changes import POLICY, record_change
from gateway.adapters.database import Source, insert_into, reading, write_transaction
from gateway.core.inheritance import Effective, Level, effective
from gateway.core.policy import (
    Policy,
    field_name,
    policy_from,
    policy_from_json,
    policy_to_json,
    said_by,
    values_from_json,
)
from gateway.core.tenant import ancestry

ALL = "all"  # among what is unset: the whole document


class SubjectUnknown(LookupError):
    """Neither a tenant nor a key has this name."""


class Policies:
    """The administrator's verbs. Synchronous, one transaction each. `author` is who speaks."""

    def __init__(self, *, engine: Source, now_us: Callable[[], int], author: str = PROGRAM) -> None:
        self._engine = engine
        self._now_us = now_us
        self._author = author

    def change(
        self, subject: str, *, given: Mapping[str, object], unset: Sequence[str] = ()
    ) -> Policy:
        """Set some fields and unset others; the policy as it is then. Aliases are added.

        What this version cannot read can be unset as it is written; `ALL` of it can, whatever it
        is. Raises SubjectUnknown, or ValueError for a field or value that no policy has.
        """
        with write_transaction(self._engine) as connection:
            owner = owner_of(connection, subject)
            before = _as_written(connection, subject)
            kept = {} if ALL in unset else _said(connection, subject)
            for name in unset:
                if name != ALL:
                    kept.pop(name if name in kept else field_name(name), None)
            aliases = {**_mapping(kept.get("aliases")), **_mapping(given.get("aliases"))}
            policy = policy_from({**kept, **given, **({"aliases": aliases} if aliases else {})})
            self._write(connection, subject, policy)
            record_change(connection, POLICY, subject)
            deed = Deed(
                author=self._author,
                at_us=self._now_us(),
                action="policy.set",
                subject=subject,
                tenant=owner.tenant,
                before=before,
                after=said_by(policy),
            )
            record_deed(connection, deed)
        return policy

    def told(self, subject: str, *, is_effective: bool) -> Effective:
        """What is said of a tenant or key, or what comes of it with what is inherited, and by whom.

        Raises as `levels` does.
        """
        levels = self.levels(subject)
        if not is_effective:
            levels = [level for level in levels if level.subject == subject]
        return effective(levels)

    def levels(self, subject: str) -> list[Level]:
        """What is said on the way to this tenant or key, root first.

        Raises SubjectUnknown, or ValueError for what this version cannot read.
        """
        with reading(self._engine) as connection:
            subjects = subjects_on_path(connection, subject)
            policies = policies_in(connection, subjects)
        return [Level(subject=one, policy=policies[one]) for one in subjects if one in policies]

    def _write(self, connection: Connection, subject: str, policy: Policy) -> None:
        table = schema.policy
        if policy == Policy():
            connection.execute(delete(table).where(table.c.subject == subject))
            return
        values = {"document": policy_to_json(policy), "updated_at_us": self._now_us()}
        connection.execute(
            insert_into(table, connection.dialect)
            .values(subject=subject, **values)
            .on_conflict_do_update(index_elements=["subject"], set_=values)
        )


def policy_document(subject: str, found: Effective) -> dict[str, object]:
    """A policy as scripts know it, with who said what."""
    return {"subject": subject, "policy": said_by(found.policy), "origins": found.origins}


def _said(connection: Connection, subject: str) -> dict[str, object]:
    """A document's fields as they are written, unchecked."""
    table = schema.policy.c
    text = connection.scalar(select(table.document).where(table.subject == subject))
    return {} if text is None else values_from_json(text)


def _as_written(connection: Connection, subject: str) -> dict[str, object]:
    """The same for the audit, which takes what nobody can read too."""
    try:
        return _said(connection, subject)
    except ValueError as unreadable:
        return {"unreadable": str(unreadable)}


def _mapping(aliases: object) -> dict[object, object]:
    return aliases if isinstance(aliases, dict) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose a tenant or a key is: a tenant is its own."""

    tenant: str
    is_key: bool


def owner_of(connection: Connection, subject: str) -> Owner:
    """Whose a tenant or a key is. Raises SubjectUnknown."""
    tenant = schema.tenant.c.path
    if connection.scalar(select(tenant).where(tenant == subject)) is not None:
        return Owner(tenant=subject, is_key=False)
    key = schema.api_key.c
    owner = connection.scalar(select(key.tenant).where(key.id == subject))
    if owner is None:
        raise SubjectUnknown(
            f"there is no tenant and no key {subject!r}; "
            "`gateway tenants list` and `gateway keys list` show what there is"
        )
    return Owner(tenant=owner, is_key=True)


def subjects_on_path(connection: Connection, subject: str) -> list[str]:
    """Whose word counts for a tenant or a key, root first. Raises SubjectUnknown."""
    owner = owner_of(connection, subject)
    return [*ancestry(owner.tenant), *([subject] if owner.is_key else [])]


def policies_in(connection: Connection, subjects: Sequence[str] | None = None) -> dict[str, Policy]:
    """What is said of tenants and keys, or of some. ValueError: this version cannot read one."""
    table = schema.policy.c
    query = select(table.subject, table.document)
    if subjects is not None:
        query = query.where(table.subject.in_(subjects))
    rows = connection.execute(query)
    return {row.subject: _readable(row.subject, row.document) for row in rows}


def _readable(subject: str, document: str) -> Policy:
    try:
        return policy_from_json(document)
    except ValueError as unreadable:
        raise ValueError(f"the policy of {subject} cannot be read: {unreadable}") from None
