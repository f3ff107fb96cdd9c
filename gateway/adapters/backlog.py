"""What this process' journal holds for the database, in order. Not here: writing it (`writer`)."""

from gateway.adapters.journal import Journal
from gateway.adapters.journal_records import known_postings
from gateway.adapters.work import Kept


class Backlog:
    """Read by the writer's thread alone. Replaying some of it twice changes nothing."""

    def __init__(self, journal: Journal | None) -> None:
        self._journal = journal
        self._done_bytes = 0
        self._read_bytes = 0
        self._is_whole = True

    @property
    def is_empty(self) -> bool:
        """Whether the database has all there is."""
        return self._journal is None or not self._journal.size_bytes

    def take(self, postings_max: int) -> list[Kept]:
        """The next to be written; the same again until `written` is told."""
        assert self._journal is not None
        size_bytes = self._journal.size_bytes
        payloads, self._read_bytes = self._journal.read(self._done_bytes, postings_max)
        postings = known_postings(payloads)
        if len(postings) < len(payloads):
            self._is_whole = False
        if not payloads:
            # Damaged: what comes after the size seen above is whole again.
            self._is_whole, self._read_bytes = False, size_bytes
        return postings

    def written(self, *, is_whole: bool) -> None:
        """What was taken is in the database; not `is_whole`: but for some that cannot be."""
        assert self._journal is not None
        self._is_whole = self._is_whole and is_whole
        self._done_bytes = self._read_bytes
        if self._journal.clear(self._done_bytes, is_kept=not self._is_whole):
            self._done_bytes, self._is_whole = 0, True
