"""How long a response is that another continues: its own tenant's, as reported, by one model."""

import asyncio

import pytest
from sqlalchemy import Engine

from gateway.adapters import ledger as ledger_limits
from gateway.adapters import schema
from gateway.adapters.chains import KEPT_MAX, Chains
from gateway.adapters.ledger import Ledger
from gateway.core.admit import CUT_TAG
from gateway.core.budget import Terms
from gateway.core.errors import LedgerUnavailable
from gateway.core.exchange import Basis, Exchange
from tests import builders
from tests.fakes.outage import gate_shut

OURS = {"tenant": "acme/search", "model": "gpt-test"}


async def posted(ledger: Ledger, exchange: Exchange) -> None:
    await ledger.settle(exchange)


@pytest.mark.parametrize("is_remembered", [True, False])
async def test_what_was_read_and_written(
    engine: Engine, ledger: Ledger, is_remembered: bool
) -> None:
    chains = Chains(engine)
    exchange = builders.exchange(usage=builders.usage(input_tokens=100, output_tokens=20))
    if is_remembered:
        chains(exchange)
    else:
        await posted(ledger, exchange)
    assert await chains.tokens("resp_1", **OURS) == 120
    assert await chains.tokens("resp_1", tenant="acme", model="gpt-test") is None
    assert await chains.tokens("resp_1", tenant="acme/search", model="gpt-else") is None
    assert await chains.tokens("resp_2", **OURS) is None


UNKNOWN = {
    "the worst case": builders.exchange(basis=Basis.WORST_CASE),
    "without usage": builders.exchange(usage=None),
    "cut": builders.exchange(hold=builders.hold(tags={CUT_TAG: "true"})),
}


@pytest.mark.parametrize("kind_of", UNKNOWN)
async def test_what_is_not_known(engine: Engine, ledger: Ledger, kind_of: str) -> None:
    chains = Chains(engine)
    chains(UNKNOWN[kind_of])
    assert await chains.tokens("resp_1", **OURS) is None
    await posted(ledger, UNKNOWN[kind_of])
    assert await Chains(engine).tokens("resp_1", **OURS) is None


async def test_a_database_that_does_not_answer_knows_nothing(engine: Engine) -> None:
    schema.metadata.drop_all(engine)
    assert await Chains(engine).tokens("resp_1", **OURS) is None


async def test_how_long_it_took_is_taken_from_the_hold_s_limit(
    engine: Engine, ledger: Ledger
) -> None:
    await ledger.settle(builders.exchange())
    terms = Terms(asked_seconds=ledger_limits.HOLD_SECONDS_MAX - 0.01)
    with gate_shut(engine), pytest.raises(LedgerUnavailable):
        async with asyncio.timeout(ledger_limits.HOLD_SECONDS_MAX / 2):
            await ledger.hold(builders.hold(), terms)


async def test_the_oldest_is_forgotten_and_read_again(engine: Engine, ledger: Ledger) -> None:
    chains = Chains(engine)
    for number in range(KEPT_MAX + 1):
        chains(builders.exchange(response_id=f"resp_{number}"))
    assert await chains.tokens("resp_0", **OURS) is None
    await posted(ledger, builders.exchange(response_id="resp_0"))
    assert await chains.tokens("resp_0", **OURS) == 120
