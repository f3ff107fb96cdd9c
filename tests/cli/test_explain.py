"""`gateway budgets explain`: it reads like sentences, and says what to do."""

import asyncio
from typing import Any

import pytest

from gateway.adapters.database import open_engine
from gateway.adapters.ledger import Ledger
from gateway.adapters.refusals import refusal_row
from gateway.cli.access import now_us
from tests import builders
from tests.builders import AT_US
from tests.cli.commands import Gateway
from tests.cli.conftest import Post

REASONS = ("input \u2264 5 tokens from bytes", "price: default")
USD = 10**12
MESSAGE = "This request may cost up to much, and little is left."


@pytest.fixture
def key_id(gateway: Gateway) -> str:
    gateway("tenants", "create", "acme/search")
    return str(gateway("keys", "create", "--tenant", "acme/search", "--json").json["id"])


def refuse(code: str, *, is_held: bool = False, **fields: Any) -> None:
    """Leaves a refusal, as a gateway would; the hold of the same request stays open if asked."""

    async def note() -> None:
        engine = open_engine("sqlite:///.gateway/gateway.db")
        ledger = Ledger(engine=engine, owner_id="test", now_us=lambda: AT_US)
        ledger.start()
        given = {"hold_pusd": 2 * USD, "model": "gpt-6-sol", **fields}
        hold = builders.hold(**{"request_id": "req-1", **given})
        if is_held:
            await ledger.hold(hold)
        else:
            ledger.note(refusal_row(hold, code=code, message=MESSAGE, reasons=REASONS))
            await ledger.hold(builders.hold(tenant="beta"))  # it rides along
        await ledger.aclose()
        engine.dispose()

    asyncio.run(note())


def explained(gateway: Gateway) -> list[str]:
    said = gateway("budgets", "explain", "req-1")
    assert (said.code, said.err) == (0, "")
    return said.out.splitlines()


def test_a_spent_budget_reads_like_sentences(gateway: Gateway, key_id: str) -> None:
    for options in (["acme", "--limit-usd", "1"], ["acme/search", "--limit-usd", "100"]):
        gateway("budgets", "set", *options, "--period", "total")
    limited = ("--period", "month", "--models", "gpt-5,gpt-6-sol", "--limit-usd", "1.5")
    gateway("budgets", "set", key_id, *limited)
    refuse("insufficient_quota", key_id=key_id)
    first, *told, total, month = explained(gateway)
    assert first == (
        "Request req-1 of acme/search with gpt-6-sol was refused at"
        " 2026-11-22T12:00:00.000000Z: insufficient_quota."
    )
    assert told == [
        "At worst it would have cost 2.000000000000 USD:",
        "  input \u2264 5 tokens from bytes",
        "  price: default",
        MESSAGE,
    ]
    assert total == (
        "To let it pass now, raise the limit of acme from 1.000000000000 to 2.000000000000 USD or"
        " more (`gateway budgets set acme --period total --limit-usd USD`)."
    )
    command = f"`gateway budgets set {key_id} --period month --models gpt-5,gpt-6-sol --limit-usd"
    assert command in month
    assert "wait" not in month  # for it is more than a month has


def test_what_fits_the_next_period_can_wait(gateway: Gateway, key_id: str) -> None:
    gateway("budgets", "set", "acme", "--limit-usd", "3", "--period", "month")
    refuse("", is_held=True, tenant="acme", created_at_us=now_us())
    refuse("insufficient_quota", key_id=key_id, request_id="req-2")
    said = gateway("budgets", "explain", "req-2").out
    assert "raise the limit of acme from 3.000000000000 to 4.000000000000 USD" in said
    assert ", or wait until 20" in said


def test_what_has_room_by_now_can_be_sent_again(gateway: Gateway, key_id: str) -> None:
    refuse("insufficient_quota", key_id=key_id)
    room = "The budgets on its way have room for it now: it can be sent again."
    assert explained(gateway)[-1] == room
    refuse("insufficient_quota", request_id="req-2", key_id="gone")
    assert room in gateway("budgets", "explain", "req-2").out


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("budget_held", "`gateway policies set acme/search` with `--max-output-tokens-default N`"),
        ("unbounded_cost", "`gateway policies set acme/search --unbounded allow`"),
        ("concurrency_exceeded", "`gateway policies show acme/search --effective`"),
    ],
)
def test_each_code_has_its_advice(gateway: Gateway, key_id: str, code: str, advice: str) -> None:
    refuse(code, key_id=key_id)
    assert advice in explained(gateway)[-1]


def test_what_has_no_bound_has_no_worst_case(gateway: Gateway, key_id: str) -> None:
    refuse("unbounded_cost", key_id=key_id)
    assert explained(gateway)[1] == MESSAGE


def test_for_programs(gateway: Gateway, key_id: str) -> None:
    refuse("insufficient_quota", key_id=key_id)
    found = gateway("budgets", "explain", "req-1", "--json").json
    assert found["lines"] == explained(gateway)
    assert (found["refused"], found["code"]) == (True, "insufficient_quota")
    assert (found["tenant"], found["key_id"]) == ("acme/search", key_id)
    assert (found["hold_usd"], found["reasons"]) == ("2.000000000000", list(REASONS))
    assert found["advice"] == found["lines"][-1:]


def test_what_was_not_refused_is_told(gateway: Gateway, post: Post) -> None:
    post(builders.exchange(hold=builders.hold(request_id="req-1")))
    (line,) = explained(gateway)
    assert line.startswith("It was not refused: request req-1 of acme/search ended as completed at")
    assert "its cost is 0.000360000000 USD. `gateway request req-1` has the bill." in line
    found = gateway("budgets", "explain", "req-1", "--json").json
    assert found == {"request_id": "req-1", "refused": False, "lines": [line]}


def test_a_cost_that_is_not_known_is_told(gateway: Gateway, post: Post) -> None:
    hold = builders.hold(request_id="req-1", price=None)
    post(builders.exchange(hold=hold, cost_pusd=None, lines=()))
    assert "its cost is not known" in explained(gateway)[0]


def test_what_is_under_way_is_told(gateway: Gateway, key_id: str) -> None:
    refuse("", is_held=True)
    (line,) = explained(gateway)
    assert line == (
        "It was not refused: request req-1 of acme/search is under way,"
        " and 2.000000000000 USD are held for it."
    )


def test_an_unknown_request_is_told(gateway: Gateway, key_id: str) -> None:
    refuse("", is_held=True)
    said = gateway("budgets", "explain", "req-2")
    assert (said.code, said.out) == (1, "")
    assert "nothing is known of a request 'req-2'. The newest 10,000" in said.err
