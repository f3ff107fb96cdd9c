"""Records with sane values, of which a test names only those it is about."""

import itertools
from typing import Any

from gateway.core.alert import Alert
from gateway.core.budget import Account, Budget
from gateway.core.cost import CostLine
from gateway.core.exchange import Basis, Exchange, Hold, Outcome
from gateway.core.money import PUSD_PER_USD
from gateway.core.prices import ModelPrice, Rates, TierRates
from gateway.core.tenant import Tenant
from gateway.core.usage import Usage

AT_US = 1_795_348_800_000_000  # 2026-11-22 12:00 UTC
HOUR_US = 3_600_000_000
_numbers = itertools.count(1)


def tenant(**fields: Any) -> Tenant:
    return Tenant(**{"path": "acme/search", "key_id": "k00000000001", **fields})


def usage(**fields: Any) -> Usage:
    return Usage(**{"input_tokens": 100, "output_tokens": 20, **fields})


def price(**fields: Any) -> ModelPrice:
    rates = Rates(
        input=2_000_000,
        cached=200_000,
        cache_write=None,
        cache_write_12h=None,
        output=8_000_000,
    )
    given = {
        "name": "gpt-test",
        "version": "2026-11-22+000000000000",
        "effective_from_us": None,
        "effective_to_us": None,
        "source": "https://example.test/prices",
        "tiers": {"default": TierRates(short=rates, long=None)},
        "long_context_threshold_tokens": None,
        "input_tokens_max": 400_000,
        "output_tokens_max": 128_000,
        "prompt_overhead_tokens": 64,
    }
    return ModelPrice(**{**given, **fields})


CARD = price()


def hold(**fields: Any) -> Hold:
    given = {
        "request_id": f"req-{next(_numbers):08d}",
        "tenant": "acme/search",
        "key_id": "k00000000001",
        "created_at_us": AT_US,
        "hold_pusd": 5_000_000_000,
        "endpoint": "/v1/responses",
        "model": "gpt-test",
        "service_tier": None,
        "is_stream": True,
        "price": CARD,
        "legs": (),
    }
    return Hold(**{**given, **fields})


def exchange(**fields: Any) -> Exchange:
    """A completed response; `hold=` says whose."""
    given = {
        "hold": fields.get("hold") or hold(),
        "settled_at_us": AT_US + 1_500_000,
        "outcome": Outcome.COMPLETED,
        "basis": Basis.REPORTED,
        "cost_pusd": 360_000_000,
        "lines": (
            CostLine(meter="input", quantity=100, unit_price_pusd=2_000_000, cost_pusd=200_000_000),
            CostLine(meter="output", quantity=20, unit_price_pusd=8_000_000, cost_pusd=160_000_000),
        ),
        "usage": usage(),
        "response_id": "resp_1",
        "model": "gpt-test-2026-01-01",
        "service_tier": "default",
        "upstream_request_id": "req_up",
        "http_status": 200,
        "duration_seconds": 1.5,
        "first_byte_seconds": 0.25,
    }
    return Exchange(**{**given, **fields})


def alert(*, tenant: str = "acme", threshold_pct: int = 80, **given: Any) -> Alert:
    """Of a day's budget of 20 USD, unless the period is said to be another."""
    budget = Budget(
        **{
            "id": "1-a",
            "subject": "acme",
            "period": "day",
            "zone": "UTC",
            "is_hard": True,
            "limit_pusd": 20 * PUSD_PER_USD,
            "models": None,
            **given,
        }
    )
    is_total = budget.period == "total"
    return Alert(
        tenant=tenant,
        budget=budget,
        account=Account(
            budget_id=budget.id,
            period_start_us=0 if is_total else AT_US - 12 * HOUR_US,
            period_end_us=None if is_total else AT_US + 12 * HOUR_US,
            is_hard=budget.is_hard,
            limit_pusd=budget.limit_pusd,
            held_pusd=400_000_000_000,
            spent_pusd=16_129_999_999_999,
        ),
        threshold_pct=threshold_pct,
        at_us=AT_US + 1_999_999,
    )
