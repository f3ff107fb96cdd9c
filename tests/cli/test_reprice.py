"""`gateway prices reprice`."""

from typing import Any

import pytest

from gateway.cli.reprice import _REASONS
from gateway.core import cost
from gateway.core.exchange import Exchange
from tests.builders import exchange, hold
from tests.cli.commands import Gateway
from tests.cli.conftest import Post

PRICE = ("--input", "1", "--output", "2", "--like", "gpt-5", "--from", "2026-01-01")


def unpriced(name: str, **fields: Any) -> Exchange:
    held = hold(request_id=name, price=None, hold_pusd=0, model="acme-1")
    return exchange(hold=held, cost_pusd=None, lines=(), model="acme-1", **fields)


@pytest.fixture
def gateway(gateway: Gateway, post: Post) -> Gateway:
    """With two requests that had no price, of which one has no usage either."""
    post(unpriced("req-a"), unpriced("req-b", usage=None))
    return gateway


def test_a_price_arrives(gateway: Gateway) -> None:
    said = gateway("prices", "reprice", "--json").json
    assert said["posted"] == []
    assert {row["reason"] for row in said["left"]} == {"model_unpriced", "usage_unknown"}
    gateway("prices", "set", "acme-1", *PRICE)
    dry = gateway("prices", "reprice", "--dry-run")
    assert dry.out.split() == [
        "model", "would", "be", "posted", "cost_usd", "acme-1", "1", "0.000140000000",
    ]  # fmt: skip
    assert dry.err == (
        "1 of acme-1 stay without a cost: its usage is not known, so that no price can help\n"
    )
    assert "acme-1  1       0.000140000000" in gateway("prices", "reprice").out
    assert gateway("prices", "reprice", "--json").json == {
        "dry_run": False,
        "posted": [],
        "left": [{"model": "acme-1", "reason": "usage_unknown", "entries": 1}],
    }
    (total,) = gateway("usage", "--by", "tenant", "--json").json
    assert (total["cost_usd"], total["unpriced_requests"]) == ("0.000140000000", 1)


def test_what_was_not_asked_for_is_left(gateway: Gateway) -> None:
    gateway("prices", "set", "acme-1", *PRICE)
    for arguments in (("--tenant", "other"), ("--since", "2027-01-01")):
        assert gateway("prices", "reprice", *arguments, "--json").json["posted"] == []


def test_every_reason_has_its_sentence() -> None:
    problems = {name for name in vars(cost) if name.endswith("_UNPRICED")} | {"COST_OUT_OF_RANGE"}
    assert {str(vars(cost)[name]) for name in problems} <= _REASONS.keys()
