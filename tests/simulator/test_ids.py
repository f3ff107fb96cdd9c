"""Ids and pieces follow from what they are made of."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.ids import PIECE_LENGTH, Ids, sliced
from tests.simulator.scenes import IDS


def test_ids_differ_by_item_and_follow_from_the_stem() -> None:
    assert IDS.item("msg", 0) != IDS.item("msg", 1)
    assert IDS.item("msg", 0) == Ids(stem=IDS.stem).item("msg", 0)
    assert IDS.response == f"resp_{IDS.stem}"


@given(st.text())
def test_pieces_are_the_text(text: str) -> None:
    pieces = sliced(text)
    assert "".join(pieces) == text
    assert all(0 < len(piece) <= PIECE_LENGTH for piece in pieces)
