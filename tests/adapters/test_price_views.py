"""A card's document: names that stay, money as strings of 12 decimals."""

from dataclasses import replace

from gateway.adapters.price_views import card_document
from tests.builders import price


def test_a_cards_document_has_names_that_stay() -> None:
    assert card_document(price()) == {
        "model": "gpt-test",
        "layer": "built-in book",
        "version": "2026-11-22+000000000000",
        "effective_from": None,
        "effective_to": None,
        "source": "https://example.test/prices",
        "input_tokens_max": 400_000,
        "output_tokens_max": 128_000,
        "long_context_threshold_tokens": None,
        "usd_per_token": {
            "default": {
                "short": {
                    "input": "0.000002000000",
                    "cached": "0.000000200000",
                    "cache_write": None,
                    "cache_write_12h": None,
                    "output": "0.000008000000",
                },
                "long": None,
            }
        },
        "usd_per_call": {},
        "rounded": [],
    }


def test_meters_that_few_have_are_told_where_they_are() -> None:
    card = price()
    tier = card.tiers["default"]
    short = replace(tier.short, audio=5_000_000)
    told = card_document(replace(card, tiers={"default": replace(tier, short=short, long=short)}))
    rates = told["usd_per_token"]
    assert isinstance(rates, dict)
    assert rates["default"]["short"]["audio"] == rates["default"]["long"]["audio"]
