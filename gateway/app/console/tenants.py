"""Keys and tenants: who there is, what each spends, and the policy in force with its origin."""

from datetime import UTC, datetime
from typing import TypedDict

from gateway.adapters import reports
from gateway.adapters.budgets import Budgets
from gateway.adapters.directory import Directory, KeyRow, TenantRow
from gateway.adapters.policies import Policies
from gateway.adapters.standings import Standing
from gateway.app.console.page import Asked, Cell, Page, Sources, table_of
from gateway.core.errors import NotFound
from gateway.core.inheritance import effective
from gateway.core.moment import iso, iso_or_none
from gateway.core.money import to_usd
from gateway.core.policy import said_by
from gateway.core.tenant import ancestry


class Rule(TypedDict):
    """A field of the policy in force, and whose words make it so."""

    field: str
    value: str
    origin: tuple[str, ...]


def tenants(sources: Sources, asked: Asked) -> Page:
    """The tree, each with its own cost of this month and that of all below."""
    within = asked.tenant
    directory = Directory(engine=sources.engine, now_us=sources.now_us)
    seen = [one for one in directory.list_tenants() if asked.wants(one.path)]
    keys = [one for one in directory.list_keys() if asked.wants(one.tenant)]
    own = _month(sources, within)
    whole = {
        one.path: sum(pusd for path, pusd in own.items() if one.path in ancestry(path))
        for one in seen
    }
    counts = {one.path: sum(key.tenant == one.path for key in keys) for one in seen}
    records: list[dict[str, Cell]] = [
        {
            "tenant": one.path,
            "suspended": one.suspended_at_us is not None,
            "created_at": iso(one.created_at_us),
            "keys": counts[one.path],
            "month_own_usd": to_usd(own.get(one.path, 0)),
            "month_usd": to_usd(whole[one.path]),
        }
        for one in seen
    ]
    return Page(
        template="tenants.html",
        facts={"tenants": seen, "keys": counts, "own": own, "whole": whole},
        tables={"tenants": lambda: table_of(records, list(records[0]) if records else ["tenant"])},
    )


def subject(sources: Sources, asked: Asked) -> Page:
    """One tenant or key. Raises NotFound."""
    directory = Directory(engine=sources.engine, now_us=sources.now_us)
    name = asked.name
    tenant, key = _find(directory, name)
    if not asked.viewer.sees(tenant.path):
        raise NotFound(f"There is no tenant and no key {name!r} here.")
    keys = [key] if key else directory.list_keys(tenant.path)
    rules = _rules(sources, name)
    return Page(
        template="subject.html",
        facts={
            "name": name,
            "tenant": tenant,
            "key": key,
            "path": [path for path in ancestry(tenant.path) if asked.viewer.sees(path)],
            "keys": keys,
            "below": [] if key else _below(directory, asked, tenant.path),
            "month_pusd": _month(sources, tenant.path, key).get("", 0),
            "rules": rules,
            "budgets": _on_way(sources, asked, {*ancestry(tenant.path), name}),
            "now_us": sources.now_us(),
        },
        tables={
            "keys": lambda: table_of([_key_record(one) for one in keys], [*_key_record(None)]),
            "policy": lambda: table_of(
                [
                    {
                        "field": rule["field"],
                        "value": rule["value"],
                        "origin": ", ".join(rule["origin"]),
                    }
                    for rule in rules
                ],
                ("field", "value", "origin"),
            ),
        },
    )


def _find(directory: Directory, name: str) -> tuple[TenantRow, KeyRow | None]:
    paths = {one.path: one for one in directory.list_tenants()}
    keys = [] if name in paths else [one for one in directory.list_keys() if one.id == name]
    key = keys[0] if keys else None
    tenant = paths.get(key.tenant if key else name)
    if tenant is None:
        raise NotFound(f"There is no tenant and no key {name!r} here.")
    return tenant, key


def _rules(sources: Sources, name: str) -> list[Rule]:
    levels = Policies(engine=sources.engine, now_us=sources.now_us).levels(name)
    found = effective(levels)
    return [
        Rule(field=field, value=_text(value), origin=found.origins[field])
        for field, value in said_by(found.policy).items()
    ]


def _on_way(sources: Sources, asked: Asked, subjects: set[str]) -> list[Standing]:
    """The budgets that its requests count in, as far as they are seen."""
    every = Budgets(engine=sources.engine, now_us=sources.now_us).list_budgets()
    return [
        one for one in every if one.budget.subject in subjects and asked.viewer.sees(one.tenant)
    ]


def _below(directory: Directory, asked: Asked, path: str) -> list[TenantRow]:
    return [
        one
        for one in directory.list_tenants()
        if one.path.startswith(f"{path}/") and asked.viewer.sees(one.path)
    ]


def _month(sources: Sources, tenant: str | None, key: KeyRow | None = None) -> dict[str, int]:
    """What this month cost by tenant; of a key, or of all under no name."""
    begin = datetime.fromtimestamp(sources.now_us() // 1_000_000, UTC).replace(
        day=1, hour=0, minute=0, second=0
    )
    since_us = int(begin.timestamp()) * 1_000_000
    rows = reports.usage(sources.engine, by=("tenant", "key"), since_us=since_us, tenant=tenant)
    found: dict[str, int] = {}
    for row in rows:
        if key is None or row.key_id == key.id:
            for name in (str(row.tenant), ""):
                found[name] = found.get(name, 0) + row.cost_pusd
    return found


def _key_record(one: KeyRow | None) -> dict[str, str | None]:
    if one is None:
        return dict.fromkeys(("id", "tenant", "name", "created_at", "expires_at", "revoked_at"))
    return {
        "id": one.id,
        "tenant": one.tenant,
        "name": one.name,
        "created_at": iso(one.created_at_us),
        "expires_at": iso_or_none(one.expires_at_us),
        "revoked_at": iso_or_none(one.revoked_at_us),
    }


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} → {model}" for name, model in value.items())
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
