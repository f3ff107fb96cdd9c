"""Advice as the command line and the console tell it: the same words, of what has a price."""

import pytest

from gateway.adapters.advised import add_all, advice_document, cheaper_models, percent
from gateway.adapters.pricefile import load_prices
from gateway.core.advice import Advice, Assumed, Served
from tests import builders
from tests.builders import AT_US


def test_what_has_no_price_is_left_out_and_counted() -> None:
    line = builders.exchange().lines
    served = Served(
        price=builders.CARD, lines=line, service_tier=None, max_output_tokens=None, is_stream=True
    )
    advice = Advice(cheaper={}, assumed=Assumed())
    assert add_all(advice, [served, None, served]) == 1
    document = advice_document(advice, 1)
    assert (document["requests"], document["requests_without_price"]) == (2, 1)
    assert document["cost_usd"] == "0.000720000000"


def test_a_named_model_replaces_all_others() -> None:
    book = load_prices()
    found = cheaper_models(book, AT_US, "gpt-5-mini")
    assert {card.name for card in found.values()} == {"gpt-5-mini"}
    assert "gpt-5-mini" not in found
    with pytest.raises(LookupError, match="no price is known for 'gpt-x'"):
        cheaper_models(book, AT_US, "gpt-x")


def test_a_percentage_of_nothing_is_none() -> None:
    assert (percent(1, 3), percent(1, 0)) == (33, None)
