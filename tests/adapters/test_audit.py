"""Every change by an administrator leaves one row, in its own transaction; on both databases."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, func, select

from gateway.adapters import schema
from gateway.adapters.admin_tokens import AdminTokens
from gateway.adapters.audit import PROGRAM, Deed, audit_document, audit_rows, record_deed
from gateway.adapters.budgets import Budgets, Given
from gateway.adapters.database import write_transaction
from gateway.adapters.directory import Directory
from gateway.adapters.overrides import Overrides
from gateway.adapters.policies import ALL, Policies
from gateway.core.money import PUSD_PER_USD
from tests.adapters.conftest import now_us

ANA = "token 4rTn0Zb1kQx2 (ana)"
Verb = Callable[[Engine, dict[str, str]], object]


def how(engine: Engine) -> dict[str, Any]:
    return {"engine": engine, "now_us": now_us, "author": ANA}


def limit(usd: int) -> Given:
    return Given(limit_pusd=usd * PUSD_PER_USD)


def price(engine: Engine, document: bytes | None) -> object:
    overrides = Overrides(**how(engine))
    return overrides.say("m", document, from_us=None, to_us=None, author="ana", note="")


# In the order in which they are done: what each tells as its action, subject, before and after.
VERBS: list[tuple[Verb, str, str, Callable[[Any, Any], bool]]] = [
    (
        lambda engine, known: Directory(**how(engine)).create_tenant("acme"),
        "tenant.create", "acme", lambda before, after: (before, after) == (None, {"path": "acme"}),
    ),
    (
        lambda engine, known: Directory(**how(engine)).suspend("acme"),
        "tenant.suspend", "acme",
        lambda before, after: before == {"suspended_at": None} and after["suspended_at"],
    ),
    (
        lambda engine, known: Directory(**how(engine)).resume("acme"),
        "tenant.resume", "acme",
        lambda before, after: before["suspended_at"] and after == {"suspended_at": None},
    ),
    (
        lambda engine, known: known.update(
            key=Directory(**how(engine)).issue_key("acme", name="ci").id
        ),
        "key.create", "{key}",
        lambda before, after: after == {"name": "ci", "expires_at": None} and before is None,
    ),
    (
        lambda engine, known: known.update(
            new=Directory(**how(engine)).rotate_key(known["key"], overlap_seconds=60).id
        ),
        "key.rotate", "{key}",
        lambda before, after: before == {"expires_at": None} and after["replaced_by"],
    ),
    (
        lambda engine, known: Directory(**how(engine)).revoke_key(known["new"]),
        "key.revoke", "{new}", lambda before, after: bool(after["revoked_at"]),
    ),
    (
        lambda engine, known: Policies(**how(engine)).change("acme", given={"store": "deny"}),
        "policy.set", "acme", lambda before, after: (before, after) == ({}, {"store": "deny"}),
    ),
    (
        lambda engine, known: Policies(**how(engine)).change("acme", given={}, unset=[ALL]),
        "policy.set", "acme", lambda before, after: (before, after) == ({"store": "deny"}, {}),
    ),
    (
        lambda engine, known: Budgets(**how(engine)).set_budget(
            known["key"], period="day", given=limit(1)
        ),
        "budget.set", "{key}",
        lambda before, after: before is None and after["limit_usd"] == "1.000000000000",
    ),
    (
        lambda engine, known: Budgets(**how(engine)).set_budget(
            known["key"], period="day", given=limit(2)
        ),
        "budget.set", "{key}",
        lambda before, after: (before["limit_usd"], after["limit_usd"])
        == ("1.000000000000", "2.000000000000"),
    ),
    (
        lambda engine, known: Budgets(**how(engine)).end_budget(known["key"], period="day"),
        "budget.end", "{key}",
        lambda before, after: before["limit_usd"] == "2.000000000000" and after is None,
    ),
    (
        lambda engine, known: price(engine, None),
        "price.unset", "m", lambda before, after: after["default_tier"] == "unset",
    ),
    (
        lambda engine, known: known.update(
            token=AdminTokens(**how(engine)).create(["read"], tenant="acme", name="lead").id
        ),
        "token.create", "{token}",
        lambda before, after: after == {"name": "lead", "scopes": ["read"], "expires_at": None},
    ),
    (
        lambda engine, known: AdminTokens(**how(engine)).revoke(known["token"]),
        "token.revoke", "{token}", lambda before, after: bool(after["revoked_at"]),
    ),
]  # fmt: skip


def test_every_verb_tells_who_did_what(engine: Engine) -> None:
    known: dict[str, str] = {}
    for verb, action, subject, is_told in VERBS:
        seen = audit_rows(engine)
        verb(engine, known)
        new = audit_rows(engine)[: -len(seen) or None]
        deed = new[0].deed
        assert (deed.author, deed.action, deed.subject) == (ANA, action, subject.format(**known))
        assert deed.tenant == (None if action.startswith("price") else "acme")
        assert is_told(deed.before, deed.after), (action, deed)
        # A key that takes another's place is created too.
        assert len(new) == (2 if action == "key.rotate" else 1)
    assert "gwa_" not in repr(audit_rows(engine))


@pytest.mark.parametrize("place", range(len(VERBS)), ids=lambda n: f"{n}-{VERBS[n][1]}")
def test_no_change_is_made_without_its_row(engine: Engine, place: int) -> None:
    known: dict[str, str] = {}
    for verb, *_ in VERBS[:place]:
        verb(engine, known)
    tables = [*schema.metadata.sorted_tables]

    def counts() -> list[Any]:
        with engine.connect() as connection:
            return [sorted(map(repr, connection.execute(select(table)))) for table in tables]

    def fail(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if "INSERT INTO audit" in statement:
            raise RuntimeError("killed")

    before = counts()
    event.listen(engine, "before_cursor_execute", fail)
    with pytest.raises(RuntimeError, match="killed"):
        VERBS[place][0](engine, known)
    event.remove(engine, "before_cursor_execute", fail)
    assert counts() == before


def test_what_is_refused_leaves_none(engine: Engine) -> None:
    Directory(**how(engine)).create_tenant("acme")
    seen = len(audit_rows(engine))
    with pytest.raises(ValueError, match="no field"):
        Policies(**how(engine)).change("acme", given={"stor": "deny"})
    with pytest.raises(ValueError, match="needs a limit"):
        Budgets(**how(engine)).set_budget("acme", period="day", given=Given())
    assert Directory(**how(engine)).create_tenant("acme") == []
    assert len(audit_rows(engine)) == seen


def deeds(engine: Engine, *rows: tuple[int, str | None]) -> None:
    with write_transaction(engine) as connection:
        for at_us, tenant in rows:
            deed = Deed(author=PROGRAM, at_us=at_us, action="a", subject="s", tenant=tenant)
            record_deed(connection, deed)


def test_a_subtree_has_its_own_rows_page_by_page(engine: Engine) -> None:
    deeds(engine, (1, "acme"), (2, "acme/x"), (3, "acmeother"), (4, None), (5, "acme/x"))

    def times(**which: Any) -> list[int]:
        return [row.deed.at_us for row in audit_rows(engine, **which)]

    assert times() == [5, 4, 3, 2, 1]
    assert times(tenant="acme") == [5, 2, 1]
    assert times(tenant="acme/x") == [5, 2]
    assert times(since_us=3) == [5, 4, 3]
    first = audit_rows(engine, tenant="acme", limit=2)
    assert [row.deed.at_us for row in first] == [5, 2]
    assert times(tenant="acme", before=first[-1].n, limit=2) == [1]


def test_its_document_has_names_that_stay(engine: Engine) -> None:
    deeds(engine, (1_000_000, None))
    (row,) = audit_rows(engine)
    assert audit_document(row) == {
        "number": row.n,
        "at": "1970-01-01T00:00:01.000000Z",
        "by": "gateway",
        "action": "a",
        "subject": "s",
        "tenant": None,
        "before": None,
        "after": None,
    }


def test_it_is_only_appended_to(engine: Engine) -> None:
    deeds(engine, (1, None), (2, None))
    with engine.connect() as connection:
        table = schema.metadata.tables["audit"]
        numbers = connection.scalars(select(table.c.n).order_by(table.c.n)).all()
        assert connection.scalar(select(func.count()).select_from(table)) == 2
    assert numbers[1] > numbers[0]
