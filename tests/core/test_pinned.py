"""A card travels as text and comes back the same."""

from dataclasses import replace

import pytest
from hypothesis import given

from gateway.core.pinned import price_from_json, price_to_json
from gateway.core.price_book import PriceBook
from gateway.core.prices import ModelPrice, Rates, TierRates
from tests.core.test_cost_laws import cards
from tests.core.test_prices import card


@given(cards)
def test_a_card_travels_whole(price: ModelPrice) -> None:
    assert price_from_json(price_to_json(price)) == replace(price, windows={})


def test_a_card_is_encoded_once() -> None:
    assert price_to_json(card()) is price_to_json(card())


def test_a_bare_card_travels_too() -> None:
    rates = Rates(input=1, cached=None, cache_write=None, cache_write_12h=None, output=2)
    price = ModelPrice(
        name="own",
        version="1",
        effective_from_us=5,
        effective_to_us=9,
        source="",
        tiers={"default": TierRates(short=rates, long=None)},
        long_context_threshold_tokens=None,
        input_tokens_max=10,
        output_tokens_max=10,
        rounded=("default.input",),
    )
    assert price_from_json(price_to_json(price)) == price
    book = PriceBook(version="1", cards={"own": (price,)})
    assert [book.find("own", at_us) for at_us in (4, 5, 8, 9)] == [None, price, price, None]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"name": 5}'])
def test_text_that_is_no_card_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        price_from_json(text)
