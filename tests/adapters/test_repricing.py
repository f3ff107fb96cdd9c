"""A price that comes later is posted once, whoever brings it and however often."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import Engine

from gateway.adapters import repricing, schema
from gateway.adapters.ledger import Ledger
from gateway.adapters.repricing import BATCH_ENTRIES_MAX, Outcome, reprice
from gateway.adapters.rows import COST_PUSD_MAX
from gateway.core.compaction import COMPACT
from gateway.core.exchange import BACKGROUND_TAG, Basis, Exchange
from gateway.core.layers import Override, overlaid
from gateway.core.price_book import PriceBook
from gateway.core.prices import ModelPrice, Rates, TierRates
from gateway.core.tool_use import ToolUse
from tests import builders
from tests.adapters.conftest import now_us
from tests.builders import AT_US, CARD
from tests.fakes import ledgerview
from tests.fakes.budgets import figures, set_budget

BOOK = PriceBook(version="later", cards={"gpt-test": (CARD,)})
COST_PUSD = 360_000_000  # of the builders' usage by their card
HOLD_PUSD = 5_000_000_000


def unpriced(**fields: Any) -> Exchange:
    return builders.exchange(**{"cost_pusd": None, "price": None, "lines": (), **fields})


async def post(ledger: Ledger, exchanges: Sequence[Exchange]) -> None:
    for exchange in exchanges:
        held = await ledger.hold(replace(exchange.hold, legs=None))
        await ledger.settle(structs.replace(exchange, hold=held))


def again(engine: Engine, book: PriceBook = BOOK, **given: Any) -> Outcome:
    return reprice(engine, book, now_us=now_us(), **given)


async def test_the_true_cost_takes_the_place_of_the_hold(engine: Engine, ledger: Ledger) -> None:
    set_budget(engine, limit_pusd=10 * HOLD_PUSD)
    await post(ledger, [unpriced(), unpriced(basis=Basis.RETRIEVED), builders.exchange()])
    assert figures(engine)[1] == 2 * HOLD_PUSD + COST_PUSD
    outcome = again(engine)
    assert (outcome.posted, outcome.cost_pusd) == ({"gpt-test": 2}, {"gpt-test": 2 * COST_PUSD})
    assert not outcome.left
    assert figures(engine)[1] == 3 * COST_PUSD
    ledgerview.audit(engine)
    (hour,) = ledgerview.rows(engine, schema.usage_hour)[:1]
    assert hour["unpriced"] == 0
    for row in ledgerview.rows(engine, schema.adjustment):
        assert (row["kind"], row["delta_pusd"]) == ("repriced", COST_PUSD)
        assert row["price_version"] == CARD.version
        assert row["lines"] == '[["input",100,2000000,200000000],["output",20,8000000,160000000]]'
    assert again(engine) == Outcome()
    assert figures(engine)[1] == 3 * COST_PUSD


async def test_many_at_once_post_each_once(engine: Engine, ledger: Ledger) -> None:
    count = 2 * BATCH_ENTRIES_MAX + 7
    set_budget(engine, limit_pusd=count * HOLD_PUSD)
    exchanges = [
        unpriced(hold=builders.hold(created_at_us=AT_US + number % 5)) for number in range(count)
    ]
    await post(ledger, exchanges)
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda _: again(engine), range(4)))
    assert sum(outcome.posted["gpt-test"] for outcome in outcomes) == count
    assert sum(outcome.cost_pusd["gpt-test"] for outcome in outcomes) == count * COST_PUSD
    assert figures(engine)[1] == count * COST_PUSD
    ledgerview.audit(engine)


async def test_what_dies_amid_it_has_posted_nothing(
    engine: Engine, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_budget(engine, limit_pusd=10 * HOLD_PUSD)
    await post(ledger, [unpriced()])

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(repricing, "_write", die)
        with pytest.raises(KeyboardInterrupt):
            again(engine)
    assert not ledgerview.rows(engine, schema.adjustment)
    ledgerview.audit(engine)
    assert again(engine).posted == {"gpt-test": 1}
    ledgerview.audit(engine)


async def test_a_model_that_had_no_price_was_held_at_nothing(
    engine: Engine, ledger: Ledger
) -> None:
    """Its cost is new to the budgets, and may pass a limit: in the open, and with its alerts."""
    set_budget(engine, limit_pusd=COST_PUSD - 1)
    await post(ledger, [unpriced(hold=builders.hold(price=None, hold_pusd=0))])
    assert figures(engine)[1] == 0
    again(engine)
    assert figures(engine)[1:] == (COST_PUSD, 1)
    alerts = ledgerview.rows(engine, schema.alert)
    assert {row["threshold_pct"] for row in alerts} == {50, 80, 100}
    assert all(row["due_at_us"] is not None for row in alerts)
    ledgerview.audit(engine)


async def test_what_stays_without_a_cost_says_why(engine: Engine, ledger: Ledger) -> None:
    dear = Rates(input=COST_PUSD_MAX, cached=None, cache_write=None, cache_write_12h=None, output=1)
    book = PriceBook(
        version="later",
        cards={
            "gpt-test": (CARD,),
            "dear": (builders.price(tiers={"default": TierRates(short=dear, long=None)}),),
        },
    )
    await post(
        ledger,
        [
            unpriced(usage=None),
            unpriced(basis=Basis.WORST_CASE, usage=builders.usage(input_tokens=0)),
            unpriced(model=None, hold=builders.hold(model="unheard-of")),
            unpriced(service_tier="scale"),
            unpriced(hold=builders.hold(tags={BACKGROUND_TAG: "24h"})),
            unpriced(tools=ToolUse(web_searches=1)),
            unpriced(model="dear"),
        ],
    )
    outcome = again(engine, book)
    assert not outcome.posted
    assert outcome.left == {
        ("gpt-test-2026-01-01", "usage_unknown"): 2,
        ("unheard-of", "model_unpriced"): 1,
        ("gpt-test-2026-01-01", "tier_unpriced"): 1,
        ("gpt-test-2026-01-01", "window_unpriced"): 1,
        ("gpt-test-2026-01-01", "meter_unpriced"): 1,
        ("dear", "cost_out_of_range"): 1,
    }
    assert not ledgerview.rows(engine, schema.adjustment)


async def test_the_price_is_that_of_the_moment_of_admission(engine: Engine, ledger: Ledger) -> None:
    def card(number: int) -> ModelPrice:
        rates = Rates(input=number, cached=None, cache_write=None, cache_write_12h=None, output=0)
        return builders.price(tiers={"default": TierRates(short=rates, long=None)})

    words = [
        Override(number=n, model="gpt-test", from_us=AT_US + n, to_us=None, cards=(card(n),))
        for n in range(3)
    ]
    moments = [AT_US + n for n in (-1, 0, 1, 2, 3)]
    await post(ledger, [unpriced(hold=builders.hold(created_at_us=at_us)) for at_us in moments])
    again(engine, overlaid(BOOK, words))
    costs = [row["delta_pusd"] for row in ledgerview.rows(engine, schema.adjustment)]
    assert sorted(costs) == sorted([COST_PUSD, 0, 100, 200, 200])
    ledgerview.audit(engine)


async def test_a_compaction_tells_no_tier_and_has_that_which_was_asked_for(
    engine: Engine, ledger: Ledger
) -> None:
    def tier(number: int) -> TierRates:
        return TierRates(short=Rates(input=number, output=0), long=None)

    book = PriceBook(
        version="later",
        cards={"gpt-test": (builders.price(tiers={"default": tier(1), "priority": tier(2)}),)},
    )
    held = builders.hold(endpoint=COMPACT, service_tier="priority")
    await post(ledger, [unpriced(hold=held, service_tier=None)])
    again(engine, book)
    assert [row["delta_pusd"] for row in ledgerview.rows(engine, schema.adjustment)] == [200]


async def test_only_what_was_asked_for(engine: Engine, ledger: Ledger) -> None:
    held = [
        builders.hold(request_id="old", created_at_us=AT_US - 1),
        builders.hold(request_id="other", tenant="acme2"),
        builders.hold(request_id="this"),
    ]
    await post(ledger, [unpriced(hold=hold) for hold in held])
    assert again(engine, is_dry_run=True).posted == {"gpt-test": 3}
    assert not ledgerview.rows(engine, schema.adjustment)
    again(engine, since_us=AT_US, tenant="acme")
    assert [row["request_id"] for row in ledgerview.rows(engine, schema.adjustment)] == ["this"]
