"""Whose word counts, at every moment."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.layers import Override, layer_of, overlaid
from gateway.core.price_book import PriceBook
from tests.builders import price

MOMENTS = range(12)
CARD = price(name="gpt-5", version="files")
BOOK = PriceBook(
    version="files",
    cards={
        "gpt-5": (
            replace(CARD, effective_to_us=4, source="a"),
            replace(CARD, effective_from_us=6, source="b"),
        )
    },
    aliases={"short": "gpt-5"},
    unpriced={"gpt-5-2025-01-01": "it was dearer"},
)
MODELS = ("gpt-5", "short", "gpt-5-2025-01-01", "gpt-5-2025-02-02", "new")


def said(number: int, model: str, begin: int, end: int | None, *, cards: int | None) -> Override:
    """With so many cards, each of half of the time; None: what the files say."""
    version = f"database:{number}"
    ours = price(name=model, version=version)
    both = (replace(ours, effective_to_us=5), replace(ours, effective_from_us=5, source="second"))
    chosen = {None: None, 0: (), 1: (ours,), 2: both}[cards]
    return Override(number=number, model=model, from_us=begin, to_us=end, cards=chosen)


@st.composite
def overrides(draw: st.DrawFn) -> list[Override]:
    found = []
    for number in range(draw(st.integers(0, 6))):
        begin = draw(st.integers(0, 10))
        end = draw(st.none() | st.integers(begin + 1, 11))
        model, cards = draw(st.sampled_from(MODELS)), draw(st.sampled_from([None, 0, 1, 2]))
        found.append(said(number, model, begin, end, cards=cards))
    return found


@given(overrides())
def test_the_last_word_counts_for_its_span(words: list[Override]) -> None:
    book = overlaid(BOOK, words)
    for model in ("gpt-5", "new"):
        for at in MOMENTS:
            last = [one for one in words if one.model == model and one.from_us <= at]
            last = [one for one in last if one.to_us is None or at < one.to_us]
            cards = last[-1].cards if last else None
            cards = BOOK.cards_of(model) if cards is None else cards
            told = next((card for card in cards if card.is_in_force(at)), None)
            found = book.find(model, at)
            assert (found is None) == (told is None)
            if found is not None and told is not None:
                assert (found.version, found.source) == (told.version, told.source)


@given(overrides())
def test_no_two_cards_are_in_force_at_once(words: list[Override]) -> None:
    book = overlaid(BOOK, words)
    for cards in book.cards.values():
        for at in MOMENTS:
            assert sum(card.is_in_force(at) for card in cards) <= 1
        starts = [card.effective_from_us or -1 for card in cards]
        assert starts == sorted(starts)


@pytest.mark.parametrize("model", ["short", "gpt-5-2025-01-01", "gpt-5-2025-02-02"])
def test_another_name_of_a_model_gets_a_price_of_its_own_for_the_span(model: str) -> None:
    book = overlaid(BOOK, [said(7, model, 1, 3, cards=1)])
    found = [book.find(model, at) for at in (0, 1, 3)]
    below = None if model in BOOK.unpriced else "files"
    assert [card and card.version for card in found] == [below, "database:7", below]
    assert (book.find("gpt-5", 1) or CARD).source == "a"


def test_a_price_of_a_model_is_its_snapshots_too() -> None:
    book = overlaid(BOOK, [said(7, "gpt-5", 1, None, cards=1)])
    found = book.find("gpt-5-2025-02-02", 2)
    assert found is not None
    assert found.version == "database:7"


def test_versions_name_the_layer() -> None:
    assert overlaid(BOOK, []) is BOOK
    words = [said(3, "gpt-5", 1, 2, cards=1), said(9, "new", 1, None, cards=None)]
    assert overlaid(BOOK, words).version == "files+database:9"
    assert layer_of(price(version="2026-11-22+ab")) == "built-in book"
    assert layer_of(price(version="file:2026-11-22+ab")) == "operator's file"
    assert layer_of(price(version="database:1")) == "database"
