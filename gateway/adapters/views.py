"""Entries, usage and budgets as their readers see them: names that stay, money as strings.

Names are added beside these, never changed: scripts read them. Not here: reading them from the
database (`reports`, `standings`), or what is said to people.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gateway.core.moment import iso, iso_or_none
from gateway.core.money import to_usd

if TYPE_CHECKING:  # verbs that only name these should not load the database's library
    from gateway.adapters.bills import Adjustment
    from gateway.adapters.directory import KeyRow, TenantRow
    from gateway.adapters.open_holds import OpenHold
    from gateway.adapters.reports import EntryRow, UsageRow
    from gateway.adapters.standings import Standing
    from gateway.core.budget import Budget
    from gateway.core.cost import Cost

Fact = str | int | float | bool | None
COUNTS = (
    "requests",
    "input_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
)
COLUMN_OF = {"tenant": "tenant", "model": "model", "day": "day", "key": "key_id"}
_TAG = re.compile(r"tag:([a-z0-9_.-]+)\Z")
_US = 1_000_000


def tenant_document(row: "TenantRow") -> dict[str, str | None]:
    """A tenant as scripts know it."""
    return {
        "path": row.path,
        "created_at": iso(row.created_at_us),
        "suspended_at": iso_or_none(row.suspended_at_us),
    }


def key_document(row: "KeyRow") -> dict[str, str | None]:
    """A key as scripts know it."""
    return {
        "id": row.id,
        "tenant": row.tenant,
        "name": row.name,
        "created_at": iso(row.created_at_us),
        "expires_at": iso_or_none(row.expires_at_us),
        "revoked_at": iso_or_none(row.revoked_at_us),
        "replaced_by": row.replaced_by,
    }


def entry_document(row: "EntryRow") -> dict[str, object]:
    """An entry as scripts know it: names are added beside these, never changed."""
    return {**entry_facts(row), "tags": row.tags}


def entry_facts(row: "EntryRow") -> dict[str, Fact]:
    """The same without what does not fit a table's cell."""
    return {
        "id": row.request_id,
        "created_at": iso(row.created_at_us),
        "tenant": row.tenant,
        "key_id": row.key_id,
        "response_id": row.response_id,
        "model": row.served_model or row.model,
        "service_tier": row.service_tier,
        "outcome": row.outcome,
        "client_gone": row.client_gone,
        "basis": row.basis,
        "input_tokens": row.input_tokens,
        "cached_tokens": row.cached_tokens,
        "cache_write_tokens": row.cache_write_tokens,
        "output_tokens": row.output_tokens,
        "reasoning_tokens": row.reasoning_tokens,
        "cost_usd": None if row.cost_pusd is None else to_usd(row.cost_pusd),
        "adjustment_usd": None if row.adjustment_pusd is None else to_usd(row.adjustment_pusd),
        "hold_usd": to_usd(row.hold_pusd),
        "price_version": row.price_version,
        "settled_at": iso(row.settled_at_us),
        "requested_model": row.model,
        "priced_model": row.priced_model,
        "endpoint": row.endpoint,
        "reason": row.reason,
        "problem": row.problem,
        "recoverable": row.recoverable,
        "http_status": row.http_status,
        "upstream_request_id": row.upstream_request_id,
        "duration_seconds": row.duration_us / _US,
        "first_byte_seconds": None if row.first_byte_us is None else row.first_byte_us / _US,
        "requested_service_tier": row.requested_tier,
        "stream": row.is_stream,
        "max_output_tokens": row.max_output_tokens,
    }


def bill_lines(row: "EntryRow | Adjustment | Cost") -> list[dict[str, Fact]]:
    """The bill of an entry, of what became known of it later, or of a usage, line by line."""
    return [
        {
            "meter": line.meter,
            "quantity": line.quantity,
            "unit_price_usd": to_usd(line.unit_price_pusd),
            "cost_usd": to_usd(line.cost_pusd),
        }
        for line in row.lines
    ]


def usage_groups(by: str) -> list[str]:
    """What usage is told apart by, as it is written with commas. ValueError: not by that."""
    groups = list(dict.fromkeys(by.split(",")))
    unknown = [group for group in groups if group not in COLUMN_OF and not _TAG.match(group)]
    if unknown:
        raise ValueError(f"takes tenant, model, day, key and tag:NAME, not {', '.join(unknown)!r}")
    return groups


def usage_document(row: "UsageRow", groups: Sequence[str]) -> dict[str, Fact]:
    """A sum and what it is of, in the order of its columns."""
    return {**dict(_told(row, group) for group in groups), **usage_facts(row)}


def _told(row: "UsageRow", group: str) -> tuple[str, Fact]:
    if tag := _TAG.match(group):
        return group, row.tags[tag[1]]
    return COLUMN_OF[group], getattr(row, COLUMN_OF[group])


def usage_facts(row: "UsageRow") -> dict[str, Fact]:
    """What a sum comes to, without what it is of."""
    return {
        **{count: getattr(row, count) for count in COUNTS},
        "cost_usd": to_usd(row.cost_pusd),
        "unpriced_requests": row.unpriced,
    }


def hold_document(hold: "OpenHold") -> dict[str, Fact]:
    return {
        "request_id": hold.request_id,
        "created_at": iso(hold.created_at_us),
        "tenant": hold.tenant,
        "key_id": hold.key_id,
        "endpoint": hold.endpoint,
        "model": hold.model,
        "hold_usd": to_usd(hold.hold_pusd),
        "age_seconds": hold.age_us / _US,
        "response_id": hold.response_id,
        "owner": hold.owner,
        "host": hold.host,
        "pid": hold.pid,
        "owner_lives": hold.has_lease,
        "why": "in flight" if hold.has_lease else "its process died; will be reconciled",
    }


def limit_facts(budget: "Budget") -> dict[str, object]:
    """A budget as it was set, without what became of it."""
    return {
        "period": budget.period,
        "models": budget.models,
        "limit_usd": to_usd(budget.limit_pusd),
        "tz": budget.zone,
        "hard": budget.is_hard,
        "thresholds": budget.thresholds_pct,
    }


def budget_document(standing: "Standing") -> dict[str, object]:
    budget = standing.budget
    more = {"models": budget.models, "thresholds": budget.thresholds_pct}
    return {**budget_facts(standing), **more}


def budget_facts(standing: "Standing") -> dict[str, Fact]:
    budget, account = standing.budget, standing.account
    is_total = account.period_end_us is None
    return {
        "subject": budget.subject,
        "tenant": standing.tenant,
        "limit_usd": to_usd(account.limit_pusd),
        "spent_usd": to_usd(account.spent_pusd),
        "held_usd": to_usd(account.held_pusd),
        "left_usd": to_usd(account.left_pusd),
        "excess_usd": to_usd(account.excess_pusd),
        "period": budget.period,
        "period_start": None if is_total else iso(account.period_start_us),
        "period_end": iso_or_none(account.period_end_us),
        "tz": budget.zone,
        "hard": account.is_hard,
    }
