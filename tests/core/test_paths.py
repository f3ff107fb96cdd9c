"""A place knows what is below it."""

from gateway.core.paths import Node

INNER = Node("a", {"id": Node("a.id"), "b": Node("a.b", {"c": Node("a.b.c")})})
TREE = Node("", {"a": INNER, "list": Node("list", element=Node("list[]", {"x": Node("list[].x")}))})


def test_a_place_knows_what_is_below_it() -> None:
    assert TREE.below == ("a", "a.b", "a.b.c", "list")
    assert TREE.arrays == ("list",)
    assert (INNER.has_id, TREE.has_id) == (True, False)


def test_leaves_are_kept_and_what_stands_in_an_element() -> None:
    kept = {place.path: place.is_kept for place in (TREE, INNER, Node("a.id"))}
    assert kept == {"": False, "a": False, "a.id": True}
    assert Node("list[].a", {"b": Node("list[].a.b")}).is_kept
    assert not Node("list[].a", element=Node("list[].a[]")).is_kept
