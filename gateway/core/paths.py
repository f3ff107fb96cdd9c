"""Which places of a JSON document are wanted. Not here: the walk to them (`skim`)."""


class Node:
    """A place in the tree of paths: an object's, an array's, or a leaf, which is kept.

    `below` are the places in it but its `id`, which tells an element from the others; `arrays` are
    the arrays among it and them. In elements a scalar in an object's place is kept too.
    """

    __slots__ = ("arrays", "below", "children", "element", "has_id", "is_kept", "path")

    def __init__(
        self,
        path: str,
        children: "dict[str, Node] | None" = None,
        element: "Node | None" = None,
    ) -> None:
        self.path = path
        self.children = children
        self.element = element
        self.is_kept = element is None and (children is None or "[]." in path)
        inner = children or {}
        self.has_id = "id" in inner
        self.below: tuple[str, ...] = tuple(
            [
                place
                for name, child in inner.items()
                if name != "id"
                for place in (child.path, *child.below)
            ]
        )
        arrays = [place for child in inner.values() for place in child.arrays]
        self.arrays: tuple[str, ...] = tuple(arrays if element is None else [path, *arrays])
