"""A month of the demo's tenants: entries as the ledger posts them, budgets, policies, refusals.

The same each time, but for the day on which it ends. Not here: who looks at it (`looking`).
"""

import asyncio
import random
from collections.abc import Iterator
from datetime import UTC, datetime

from sqlalchemy import Engine

from gateway.adapters.budgets import Budgets
from gateway.adapters.directory import Directory
from gateway.adapters.ledger import Ledger
from gateway.adapters.overrides import Overrides
from gateway.adapters.policies import Policies
from gateway.adapters.pricefile import load_prices
from gateway.adapters.refusals import refusal_row
from gateway.core.admit import POLICY_TAG
from gateway.core.exchange import Basis, Exchange, Hold, Outcome
from gateway.core.money import PUSD_PER_USD
from gateway.core.prices import ModelPrice
from gateway.core.tool_use import NO_TOOLS
from gateway.core.usage import Usage
from tests.journeys.stage import now_us

DAYS = 34
DAY_US = 86_400_000_000
BOOK = load_prices()
# Who asks what, how often a day, and for how many thousand tokens in and out.
HABITS = (
    ("acme/search", "gpt-5.4", 14, 9, 2),
    ("acme/search", "gpt-5-mini", 10, 24, 3),
    ("acme/search/ana", "gpt-6-sol", 3, 14, 3),
    ("acme/support", "gpt-6-luna", 9, 6, 1),
    ("acme/support", "gpt-5.4", 4, 12, 2),
    ("globex", "gpt-4.1", 6, 8, 2),
    ("initech/labs", "gpt-6.1-sol", 2, 30, 6),
)
BATCH = 200


def make_tenants(engine: Engine) -> dict[str, str]:
    """All of them with a key each: its text, by path."""
    directory = Directory(engine=engine, now_us=now_us)
    texts = {}
    for path in dict.fromkeys(habit[0] for habit in HABITS):
        directory.create_tenant(path)
        texts[path] = directory.issue_key(path, name=f"{path.rpartition('/')[2]} service").text
    return texts


def set_rules(engine: Engine) -> None:
    """Budgets in every state, policies at several levels, and a price of our own."""
    budgets = Budgets(engine=engine, now_us=now_us)
    for subject, period, usd, is_hard in (
        ("acme", "month", 480, True),
        ("acme/search", "total", 310, True),
        ("acme/support", "week", 40, True),
        ("globex", "day", 4, False),
    ):
        given = {"limit_pusd": usd * PUSD_PER_USD, "is_hard": is_hard}
        budgets.set_budget(subject, period=period, given=given)  # type: ignore[arg-type]
    policies = Policies(engine=engine, now_us=now_us)
    policies.change("acme", given={"max_output_tokens_cap": 128_000, "store": "deny"})
    policies.change(
        "acme/search",
        given={"models": ["gpt-5.4", "gpt-5-mini", "gpt-6-sol"], "max_output_tokens_cap": 64_000},
    )
    Overrides(engine=engine, now_us=now_us).say(
        "gpt-5-mini", None, from_us=None, to_us=None, author="ana", note="back to the list price"
    )


async def write_month(engine: Engine) -> None:
    """The entries and the refusals, through the ledger."""
    directory = Directory(engine=engine, now_us=now_us)
    keys = {key.tenant: key.id for key in directory.list_keys()}
    ledger = Ledger(engine=engine, owner_id="history", now_us=now_us)
    ledger.start()
    exchanges = list(_exchanges(keys))
    for start in range(0, len(exchanges), BATCH):
        await asyncio.gather(*(ledger.settle(one) for one in exchanges[start : start + BATCH]))
    for number, hold in enumerate(_refused(keys)):
        said = (
            "This request may cost up to 0.750000000000 USD, and the budget of acme/support (a"
            " week) has 0.214000000000 USD left: of 40.000000000000 USD, 39.036000000000 are spent"
            " and 0.750000000000 are held for requests that are under way."
        )
        reasons = ("input ≤ 12,400 tokens from its bytes", "output ≤ 128,000 tokens from the model")
        code = "insufficient_quota" if number % 3 else "budget_held"
        ledger.note(refusal_row(hold, code=code, message=said, reasons=reasons))
    await ledger.aclose()


def _exchanges(keys: dict[str, str]) -> Iterator[Exchange]:
    chance = random.Random(7)
    end_us = now_us() - 60_000_000
    for back in range(DAYS, -1, -1):
        day_us = end_us // DAY_US * DAY_US - back * DAY_US
        is_weekend = datetime.fromtimestamp(day_us / 1e6, UTC).weekday() >= 5
        for tenant, model, often, thousand_in, thousand_out in HABITS:
            growth = 0.6 + 0.7 * (DAYS - back) / DAYS
            for number in range(round(often * growth * (0.35 if is_weekend else 1))):
                at_us = day_us + round(chance.triangular(0, DAY_US, 0.58 * DAY_US))
                if at_us > end_us:
                    continue
                name = f"{back:02d}-{tenant.replace('/', '-')}-{model}-{number}"
                hold = _hold(name, tenant, keys[tenant], at_us, model)
                size = chance.lognormvariate(0, 0.6)
                used = _usage(
                    chance, round(thousand_in * 9000 * size), round(thousand_out * 8000 * size)
                )
                yield _exchange(chance, hold, used)


def _hold(name: str, tenant: str, key_id: str, at_us: int, model: str) -> Hold:
    price = BOOK.find(model, at_us)
    assert price is not None
    clamped = {POLICY_TAG: "max_output_tokens=64000 (was 128000)"} if name.endswith("-1") else {}
    return Hold(
        request_id=f"01931{name}",
        tenant=tenant,
        key_id=key_id,
        created_at_us=at_us,
        hold_pusd=PUSD_PER_USD * 3 // 4,
        endpoint="responses",
        model=model,
        service_tier=None,
        is_stream=not model.endswith("luna"),
        max_output_tokens=64_000 if clamped else None,
        price=price,
        tags={**clamped, "feature": "answers"},
    )


def _usage(chance: random.Random, tokens_in: int, tokens_out: int) -> Usage:
    cached = tokens_in * chance.choice((0, 0, 4, 7)) // 10
    return Usage(
        input_tokens=tokens_in,
        cached_tokens=cached,
        output_tokens=tokens_out,
        reasoning_tokens=tokens_out * chance.choice((0, 3, 5)) // 10,
    )


def _exchange(chance: random.Random, hold: Hold, used: Usage) -> Exchange:
    outcome, reason = chance.choices(
        (
            (Outcome.COMPLETED, None),
            (Outcome.INCOMPLETE, "max_output_tokens"),
            (Outcome.ABORTED, "upstream_idle_timeout"),
        ),
        (94, 4, 2),
    )[0]
    price: ModelPrice | None = hold.price
    assert price is not None
    cost = price.cost(usage=used, tools=NO_TOOLS, service_tier="default")
    seconds = 0.8 + used.output_tokens / chance.uniform(60, 140)
    return Exchange(
        hold=hold,
        settled_at_us=hold.created_at_us + round(seconds * 1e6),
        outcome=outcome,
        basis=Basis.REPORTED,
        cost_pusd=cost.cost_pusd,
        lines=cost.lines,
        usage=used,
        response_id=f"resp_{hold.request_id}",
        model=f"{hold.model}",
        service_tier="default",
        http_status=200,
        reason=reason,
        duration_seconds=seconds,
        first_byte_seconds=chance.uniform(0.2, 0.7),
    )


def _refused(keys: dict[str, str]) -> Iterator[Hold]:
    for number in range(4):
        at_us = now_us() - number * 11 * 60_000_000
        yield _hold(f"refused-{number}", "acme/support", keys["acme/support"], at_us, "gpt-5.4")
