"""Price cards as their readers see them: names that stay, money as strings of 12 decimals.

Not here: which card is in force (`core.price_book`), or what is said to people.
"""

from gateway.core.layers import layer_of
from gateway.core.moment import iso_or_none
from gateway.core.money import to_usd
from gateway.core.prices import ModelPrice, Rates

METERS = ("input", "cached", "cache_write", "cache_write_12h", "output")
OTHER_METERS = (
    "audio", "audio_cached", "audio_output", "image", "image_cached", "image_output",
)  # fmt: skip


def card_document(card: ModelPrice) -> dict[str, object]:
    """A card as scripts know it: names are added beside these, never changed."""
    return {
        "model": card.name,
        "layer": layer_of(card),
        "version": card.version,
        "effective_from": iso_or_none(card.effective_from_us),
        "effective_to": iso_or_none(card.effective_to_us),
        "source": card.source,
        "input_tokens_max": card.input_tokens_max,
        "output_tokens_max": card.output_tokens_max,
        "long_context_threshold_tokens": card.long_context_threshold_tokens,
        "usd_per_token": {
            name: {
                "short": _usd_per_token(tier.short),
                "long": None if tier.long is None else _usd_per_token(tier.long),
            }
            for name, tier in card.tiers.items()
        },
        "usd_per_call": {tool: to_usd(pusd) for tool, pusd in card.tool_fees_pusd.items()},
        "rounded": list(card.rounded),
    }


def _usd_per_token(rates: Rates) -> dict[str, str | None]:
    units = {meter: getattr(rates, meter) for meter in (*METERS, *OTHER_METERS)}
    return {
        meter: None if unit is None else to_usd(unit)
        for meter, unit in units.items()
        if unit is not None or meter in METERS
    }
