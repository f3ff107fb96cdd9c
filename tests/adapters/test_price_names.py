"""Every model name that the API's own client library knows is priced here, or listed with a reason.

The names are those of the types of the pinned package, wherever one stands.
"""

import re
from pathlib import Path

import openai

from gateway.adapters.pricefile import load_prices
from gateway.core.prices import snapshot_of

BOOK = load_prices()
NOW_US = 1_795_305_600_000_000  # 2026-11-22
TYPES = Path(openai.__file__).parent / "types"
A_MODEL = re.compile(
    r'"((?:gpt|o\d|chatgpt|codex|computer-use|text-(?:emb|mod)|omni|tts|whisper|dall-e|sora|davinci'
    r'|babbage)[a-z0-9.-]*)"'
)
MODELS = sorted({
    name for file in TYPES.rglob("*.py") for name in A_MODEL.findall(file.read_text("utf-8"))
})  # fmt: skip


def test_the_names_are_found() -> None:
    assert {"gpt-6.2-sol", "gpt-6.2-astra-law", "gpt-4o-2024-08-06", "o1-pro"} <= {*MODELS}
    assert {"text-embedding-3-small", "gpt-image-2.6-sunburst", "whisper-1"} <= {*MODELS}
    assert len(MODELS) > 150


def test_every_model_has_a_price_or_a_reason() -> None:
    without = [
        name
        for name in MODELS
        if BOOK.find(name, NOW_US) is None
        and snapshot_of(name) not in BOOK.images
        and not BOOK.unpriced.get(name)
    ]
    assert without == []


def test_no_reason_is_kept_for_what_has_a_price() -> None:
    assert not [name for name in BOOK.unpriced if name in BOOK.cards or name in BOOK.images]
    assert not [name for name in BOOK.unpriced if name not in MODELS]
