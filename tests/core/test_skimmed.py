"""What is found is bounded, and goes when its place is filled again."""

from gateway.core.skimmed import ITEM_KINDS_MAX, ITEM_NAMES_MAX, NAME_BYTES_MAX, Skimmed


def test_names_are_bounded() -> None:
    found = Skimmed()
    for _ in range(ITEM_NAMES_MAX + 1):
        found.name("out", b"n" * (NAME_BYTES_MAX + 1), b"c" * (NAME_BYTES_MAX + 1))
    assert found.names == [b"n" * NAME_BYTES_MAX] * ITEM_NAMES_MAX
    assert found.containers == [b"c" * NAME_BYTES_MAX] * ITEM_NAMES_MAX


def test_a_place_that_is_filled_again_forgets() -> None:
    found = Skimmed()
    found.values = {"a.b": b"1", "ab": b"2"}
    found.name("out", b'"m"', b"")
    found.count("out", (b'"message"', b""))
    found.forget("a", ("list",))
    assert (found.values, found.names) == ({"ab": b"2"}, [b'"m"'])
    found.forget("", ("out",))
    assert (found.names, found.items) == ([], {})


def test_kinds_are_bounded() -> None:
    found = Skimmed()
    for number in range(ITEM_KINDS_MAX + 5):
        found.count("list", (b"%d" % number, b"x" * 2 * NAME_BYTES_MAX))
    assert found.items["list"][b'"other"', b""] == 5
    assert {len(name) for _, name in found.items["list"]} == {0, NAME_BYTES_MAX}
