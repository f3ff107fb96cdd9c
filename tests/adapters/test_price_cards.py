"""Prices become whole picodollars once, after all that they are multiplied by."""

from fractions import Fraction
from typing import Any

import pytest

from gateway.adapters.price_cards import Scale, image_prices, model_cards
from gateway.adapters.price_format import File, ImageRow, PriceFileInvalid, converted
from gateway.core.prices import ModelPrice

AS_OF = {"as_of": "2026-11-22"}
REGIONAL = Scale(is_regional=True)
PLAIN = Scale()


def cards(
    scale: Scale = PLAIN, file: dict[str, Any] = AS_OF, **model: Any
) -> tuple[ModelPrice, ...]:
    table = {
        "input_tokens_max": 1000,
        "output_tokens_max": 100,
        "prices": [{"source": "https://x", "default": {"input": "2", "output": "10"}}],
        **model,
    }
    whole = converted(file, File, where="file")
    return model_cards("own", table, whole, where="file: own", version="1", scale=scale)


def rates(price: ModelPrice, tier: str = "default") -> tuple[int | None, int | None]:
    short = price.tiers[tier].short
    return short.input, short.output


def test_a_region_costs_more_where_the_model_says_so() -> None:
    [plain] = cards(REGIONAL)
    [dearer] = cards(REGIONAL, regional_uplift="1.1")
    [at_home] = cards(regional_uplift="1.1")
    assert rates(plain) == rates(at_home) == (2_000_000, 10_000_000)
    assert rates(dearer) == (2_200_000, 11_000_000)


def test_a_window_is_a_part_of_the_default_tier_and_has_no_other() -> None:
    prices = [
        {
            "source": "https://x",
            "default": {"input": "2", "output": "10"},
            "flex": {"input": "1", "output": "5"},
        }
    ]
    file = AS_OF | {"windows": {"8h": "0.6"}}
    [whole] = cards(REGIONAL, file, prices=prices, regional_uplift="1.1")
    windowed = whole.until("8h")
    assert windowed is not None
    assert whole.until("9h") is None
    assert rates(whole, "flex") == (1_100_000, 5_500_000)
    assert windowed.tiers.keys() == {"default"}
    assert rates(windowed) == (1_320_000, 6_600_000)


def test_what_is_multiplied_is_rounded_once_and_marked() -> None:
    prices = [{"source": "https://x", "default": {"input": "0.00000007"}}]
    [card] = cards(
        Scale(contract=Fraction("0.9"), is_regional=True),
        AS_OF | {"windows": {"2h": "0.7"}},
        prices=prices,
        regional_uplift="1.1",
    )
    windowed = card.until("2h")
    assert windowed is not None
    assert windowed.tiers["default"].short.input == 1  # 0.07 pUSD, times 0.9, 1.1 and 0.7
    assert card.rounded == ("default.input", "windows.2h.default.input")


def test_fees_are_the_file_s_unless_the_row_has_its_own_and_are_never_multiplied() -> None:
    file = AS_OF | {"tools": {"web_search": "10", "container_1g": "1.5"}}
    [common] = cards(Scale(contract=Fraction("0.5")), file)
    assert common.tool_fees_pusd == {"web_search": 10**10, "container_1g": 1_500_000_000}
    row = {"source": "https://x", "default": {"input": "1"}, "tools": {"file_search": "2.5"}}
    [own] = cards(file=file, prices=[row])
    assert own.tool_fees_pusd == {"file_search": 2_500_000_000}


def test_images_have_prices_by_date() -> None:
    table = {"source": "https://x", "default": {"input": "5", "image": "8", "image_output": "30"}}
    rows = [
        converted(table | {"from": "2026-02-01"}, ImageRow, where="x"),
        converted(table | {"to": "2026-02-01"}, ImageRow, where="x"),
    ]
    first, second = image_prices(rows, where="x", scale=REGIONAL)
    assert first.effective_to_us == second.effective_from_us
    assert (first.is_in_force(0), second.is_in_force(0)) == (True, False)
    assert second.rates.image_output == 30_000_000
    with pytest.raises(PriceFileInvalid, match="at the same time"):
        image_prices([rows[0], rows[0]], where="x", scale=REGIONAL)
