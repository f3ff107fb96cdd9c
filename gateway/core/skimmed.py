"""What was found in a JSON document: raw values by path, and counts. Not here: finding it."""

NAME_BYTES_MAX = 128
ITEM_KINDS_MAX = 256
ITEM_NAMES_MAX = 1_000  # of the items themselves


class Skimmed:
    """Raw values by path; the elements of an array, counted by raw type and raw action type.

    `names` are the elements' raw ids, and those of the containers that they ran in.
    """

    __slots__ = ("containers", "items", "names", "values")

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.items: dict[tuple[bytes, bytes], int] = {}
        self.names: list[bytes] = []
        self.containers: list[bytes] = []

    def count(self, kind: bytes, action: bytes) -> None:
        key = (kind[:NAME_BYTES_MAX], action[:NAME_BYTES_MAX])
        if key not in self.items and len(self.items) >= ITEM_KINDS_MAX:
            key = (b'"other"', b"")
        self.items[key] = self.items.get(key, 0) + 1

    def name(self, name: bytes, container: bytes) -> None:
        if name and len(self.names) < ITEM_NAMES_MAX:
            self.names.append(name[:NAME_BYTES_MAX])
        if container and len(self.containers) < ITEM_NAMES_MAX:
            self.containers.append(container[:NAME_BYTES_MAX])

    def forget(self, path: str, *, has_items: bool) -> None:
        """A key that comes again replaces all that was found at and below it."""
        below = f"{path}."
        for known in [known for known in self.values if f"{known}.".startswith(below)]:
            del self.values[known]
        if has_items:
            self.items.clear()
            self.names.clear()
            self.containers.clear()
