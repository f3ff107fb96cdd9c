"""What was found in a JSON document: raw values by path, and counts. Not here: finding it."""

NAME_BYTES_MAX = 128  # of a key, and of a value in an element of an array
ITEM_KINDS_MAX = 256
ITEM_NAMES_MAX = 1_000  # of the items themselves


class Skimmed:
    """Raw values by path; by its path, the elements of an array, counted by their raw values.

    `names` are the raw ids of one array's elements, and `containers` those of what they ran in.
    """

    __slots__ = ("containers", "items", "later", "named", "names", "values")

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.items: dict[str, dict[tuple[bytes, ...], int]] = {}
        self.later: dict[str, memoryview] = {}  # arrays that are read when somebody needs them
        self.named = ""  # the array whose elements have ids
        self.names: list[bytes] = []
        self.containers: list[bytes] = []

    def count(self, array: str, element: tuple[bytes, ...]) -> None:
        counts = self.items.setdefault(array, {})
        key = element
        if key not in counts:
            key = tuple([value[:NAME_BYTES_MAX] for value in element])
            if key not in counts and len(counts) >= ITEM_KINDS_MAX:
                key = (b'"other"', *[b""] * (len(key) - 1))
        counts[key] = counts.get(key, 0) + 1

    def name(self, array: str, name: bytes, container: bytes) -> None:
        self.named = array
        if name and len(self.names) < ITEM_NAMES_MAX:
            self.names.append(name[:NAME_BYTES_MAX])
        if container and len(self.containers) < ITEM_NAMES_MAX:
            self.containers.append(container[:NAME_BYTES_MAX])

    def forget(self, path: str, arrays: tuple[str, ...]) -> None:
        """A key that comes again replaces all that was found at and below it."""
        below = f"{path}."
        for known in [known for known in self.values if f"{known}.".startswith(below)]:
            del self.values[known]
        for array in arrays:
            self.items.pop(array, None)
        if self.named in arrays:
            self.names.clear()
            self.containers.clear()
