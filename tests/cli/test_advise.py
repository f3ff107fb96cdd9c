"""`gateway advise`: four levers, in dollars, each with its assumption."""

import pytest

from gateway.adapters.pricefile import load_prices
from gateway.core.exchange import Exchange
from gateway.core.tool_use import NO_TOOLS
from tests.builders import AT_US, exchange, hold, usage
from tests.cli.commands import Gateway
from tests.cli.conftest import Post

USED = usage(input_tokens=10_000, output_tokens=1_000)


def done(model: str = "gpt-6-sol", **fields: object) -> Exchange:
    card = load_prices().find(model, AT_US)
    assert card is not None
    cost = card.cost(usage=USED, tools=NO_TOOLS, service_tier=None)
    held = hold(price=card, model=model, is_stream=False, **fields)
    return exchange(hold=held, model=None, usage=USED, cost_pusd=cost.cost_pusd, lines=cost.lines)


@pytest.fixture
def gateway(gateway: Gateway, post: Post) -> Gateway:
    post(done(), done(max_output_tokens=4_000, tenant="other"), exchange())
    return gateway


def test_what_each_lever_would_have_saved(gateway: Gateway) -> None:
    said = gateway("advise", "--json").json
    assert (said["requests"], said["cost_usd"]) == (2, "0.060000000000")
    assert said["requests_without_price"] == 1
    saved = {one["lever"]: (one["requests"], one["saved_usd"]) for one in said["levers"]}
    assert saved == {
        "prompt caching": (2, "0.028800000000"),
        "output limit": (0, "0.000000000000"),
        "cheaper model": (2, "0.057000000000"),
        "flex tier": (2, "0.030000000000"),
        "batch tier": (2, "0.030000000000"),
    }
    assert all(one["assumption"] for one in said["levers"])
    assert said["cheaper_models"] == {"gpt-6-sol": "gpt-6-luna"}
    assert said["output_limits"] == {"gpt-6-sol": 1_000}
    assert (said["requests_with_output_limit"], said["output_limit_used_percent"]) == (1, 25)
    assert said["cached_percent"] == 0


def test_it_is_told_in_words(gateway: Gateway) -> None:
    out = gateway("advise").out
    assert out.startswith("2 requests cost 0.060000000000 USD.\n")
    assert "cheaper model   2         0.057000000000  95 %" in out
    assert "- prompt caching: 80 % of each input over 1,024 tokens had been read" in out
    assert "0 % of the longer inputs was read from the cache." in out
    assert "1 requests had an output limit, of which they used 25 %." in out
    assert "An output limit for gpt-6-sol would be 1,000 tokens." in out
    assert "Instead of gpt-6-sol there is gpt-6-luna" in out
    assert "Left out, without a price now: 1 requests." in out


def test_only_what_was_asked_for(gateway: Gateway) -> None:
    assert gateway("advise", "--tenant", "other", "--json").json["requests"] == 1
    named = gateway("advise", "--model", "gpt-6-astra", "--json").json
    assert named["cheaper_models"] == {"gpt-6-sol": "gpt-6-astra"}
    assert named["levers"][2]["saved_usd"] == "-0.240000000000"
    nothing = gateway("advise", "--since", "2027-01-01")
    assert nothing.out.startswith("0 requests cost 0.000000000000 USD.\n")
    assert "prompt caching  0         0.000000000000  -" in nothing.out


def test_an_unknown_model_is_told(gateway: Gateway) -> None:
    said = gateway("advise", "--model", "zzz")
    assert (said.code, said.out) == (1, "")
    assert "no price is known for 'zzz'" in said.err
