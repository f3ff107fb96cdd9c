"""What one tenant may see of the ledger: a request's bill, its usage, its budgets. Reads only.

A tenant sees its own, and not what is below or above it: those have keys of their own. Not here:
how it is written (`views`), or who asks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine

from gateway.adapters import reports
from gateway.adapters.standings import standings
from gateway.adapters.views import bill_lines, budget_document, entry_document, usage_facts
from gateway.core.tenant import Tenant

Document = dict[str, object]
_NOTHING = reports.UsageRow(
    requests=0,
    input_tokens=0,
    cached_tokens=0,
    cache_write_tokens=0,
    output_tokens=0,
    reasoning_tokens=0,
    cost_pusd=0,
    unpriced=0,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statements:
    """Synchronous. `now_us` is the database's clock."""

    engine: Engine
    now_us: Callable[[], int]

    def bill(self, tenant: Tenant, request_or_response_id: str) -> Document | None:
        """One of the tenant's requests, line by line; None where it has no such entry."""
        row = reports.entry(self.engine, request_or_response_id)
        if row is None or row.tenant != tenant.path:
            return None
        return {"object": "gateway.request", **entry_document(row), "lines": bill_lines(row)}

    def usage(self, tenant: Tenant) -> Document:
        """What the tenant used today and this month, in UTC, and its and its key's budgets."""
        now_us = self.now_us()
        midnight = datetime.fromtimestamp(now_us // 1_000_000, tz=UTC).replace(
            hour=0, minute=0, second=0
        )
        with self.engine.connect() as connection:
            subjects = (tenant.path, tenant.key_id)
            budgets = standings(connection, now_us, subjects=subjects)
        return {
            "object": "gateway.usage",
            "tenant": tenant.path,
            "key_id": tenant.key_id,
            "today": self._since(tenant, midnight),
            "month": self._since(tenant, midnight.replace(day=1)),
            "budgets": [budget_document(standing) for standing in budgets],
        }

    def _since(self, tenant: Tenant, begin: datetime) -> Document:
        since_us = int(begin.timestamp()) * 1_000_000
        rows = reports.usage(self.engine, by=("tenant",), since_us=since_us, tenant=tenant.path)
        own = next((row for row in rows if row.tenant == tenant.path), _NOTHING)
        return {**usage_facts(own)}
