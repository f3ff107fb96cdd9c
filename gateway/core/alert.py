"""An alert: what is told when spending passes a threshold of a budget, and how it is written. Pure.

Not here: which thresholds were passed (`budget`), or who is told (`adapters.webhook`).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from gateway.core.budget import SPANS, Account, Budget, moment
from gateway.core.money import to_usd

TYPE = "budget.threshold_passed"
PAUSE_SECONDS_MIN = 4.0
_DOUBLINGS_MAX = 32
_CENTS = -10  # where an amount's twelve decimals are cut for people

Format = Literal["json", "slack"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A threshold that was passed, and what the budget's period comes to when it is told."""

    tenant: str  # whose budget it is, or whose key's
    budget: Budget
    account: Account
    threshold_pct: int
    at_us: int

    @property
    def id(self) -> str:
        """The same however often it is told. It has no dot, which would blur what is signed."""
        return f"{self.account.budget_id}-{self.account.period_start_us}-{self.threshold_pct}"


def facts(alert: Alert) -> dict[str, object]:
    """Everything, by the names that `gateway budgets show --json` has."""
    budget, account = alert.budget, alert.account
    ends_us = account.period_end_us
    return {
        "id": alert.id,
        "tenant": alert.tenant,
        "subject": budget.subject,
        "budget": budget.name,
        "threshold_percent": alert.threshold_pct,
        "crossed_at": moment(alert.at_us),
        "limit_usd": to_usd(account.limit_pusd),
        "spent_usd": to_usd(account.spent_pusd),
        "held_usd": to_usd(account.held_pusd),
        "left_usd": to_usd(account.left_pusd),
        "excess_usd": to_usd(account.excess_pusd),
        "period": budget.period,
        "period_start": None if ends_us is None else moment(account.period_start_us),
        "period_end": None if ends_us is None else moment(ends_us),
        "tz": budget.zone,
        "hard": account.is_hard,
        "models": budget.models,
    }


def to_json(alert: Alert) -> bytes:
    """The same as an event of its type."""
    data = facts(alert)
    return _compact({"type": TYPE, "timestamp": data["crossed_at"], "data": data})


def to_slack(alert: Alert) -> bytes:
    """One sentence, as Slack's incoming webhooks take it; amounts in whole cents."""
    budget, account = alert.budget, alert.account
    is_key = budget.subject != alert.tenant
    who = f"Key {budget.subject} of {alert.tenant}" if is_key else alert.tenant
    models = "" if budget.models is None else f" for {', '.join(budget.models)}"
    ends_us = account.period_end_us
    until = "" if ends_us is None else f" until {moment(ends_us)}"
    sentence = (
        f"{who} has passed {alert.threshold_pct} % of its {'hard' if account.is_hard else 'soft'}"
        f" budget of {_cents(account.limit_pusd)} USD {SPANS[budget.period]}{models}:"
        f" {_cents(account.spent_pusd)} are spent and {_cents(account.held_pusd)} held,"
        f" {_cents(account.left_pusd)} are left{until}."
    )
    for character, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        sentence = sentence.replace(character, escaped)
    return _compact({"text": sentence})


WRITERS: Mapping[Format, Callable[[Alert], bytes]] = {"json": to_json, "slack": to_slack}


def pause_seconds(attempts: int, *, seconds_max: float, jitter: float) -> float:
    """How long to wait after so many attempts; twice as long each time, less up to a half.

    `jitter` is from 0 to 1, by chance: what failed together is not tried again together.
    """
    doubled = PAUSE_SECONDS_MIN * 2.0 ** min(attempts - 1, _DOUBLINGS_MAX)
    return min(doubled, seconds_max) * (1 - jitter / 2)


def _cents(amount_pusd: int) -> str:
    return to_usd(amount_pusd)[:_CENTS]


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
