"""What is found is bounded, and goes when its place is filled again."""

from gateway.core.skimmed import ITEM_NAMES_MAX, NAME_BYTES_MAX, Skimmed


def test_names_are_bounded() -> None:
    found = Skimmed()
    for _ in range(ITEM_NAMES_MAX + 1):
        found.name(b"n" * (NAME_BYTES_MAX + 1), b"c" * (NAME_BYTES_MAX + 1))
    assert found.names == [b"n" * NAME_BYTES_MAX] * ITEM_NAMES_MAX
    assert found.containers == [b"c" * NAME_BYTES_MAX] * ITEM_NAMES_MAX


def test_a_place_that_is_filled_again_forgets() -> None:
    found = Skimmed()
    found.values = {"a.b": b"1", "ab": b"2"}
    found.name(b'"m"', b"")
    found.count(b'"message"', b"")
    found.forget("a", has_items=False)
    assert (found.values, found.names) == ({"ab": b"2"}, [b'"m"'])
    found.forget("", has_items=True)
    assert (found.names, found.items) == ([], {})
