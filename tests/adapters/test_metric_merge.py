"""The merged text is what the library makes of the same files, scrape after scrape."""

from collections.abc import Callable
from pathlib import Path
from struct import pack

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from gateway.adapters.metric_files import Share
from gateway.adapters.metric_merge import Merged
from gateway.adapters.metric_text import Text
from gateway.adapters.metrics import Metrics
from tests.adapters.test_metric_files import MOVES, processes


def series(text: str) -> list[str]:
    """In an order of their own: the library knows none."""
    return sorted(line for line in text.splitlines() if not line.startswith("#"))


def by_library(folder: Path) -> list[str]:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder))  # type: ignore[no-untyped-call]  # the library forgot its types
    return series(generate_latest(registry).decode())


class Reader:
    """Reads the same folder again and again."""

    def __init__(self, folder: Path) -> None:
        self._merged = Merged(folder)
        self._text = Text(self._merged)

    def series(self) -> list[str]:
        self._merged.read()
        return series("".join(self._text.pieces()))


@settings(max_examples=30)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 2), st.sampled_from(MOVES)), max_size=6),
        min_size=1,
        max_size=3,
    )
)
def test_it_is_what_the_library_reads(
    scrapes: list[list[tuple[int, Callable[[Metrics], None]]]],
) -> None:
    with processes(3) as (folder, several):
        reader = Reader(folder)
        for moves in scrapes:
            for number, move in moves:
                move(several[number])
            assert reader.series() == by_library(folder)


def test_a_successor_begins_its_files_anew() -> None:
    with processes(1) as (folder, _):
        reader, file = Reader(folder), folder / "gauge_livesum_9.db"
        for kind, value in (("stream", 1.0), ("whole", 2.0)):
            labels = '{"kind": "' + kind + '"}'
            key = f'["gateway_active_requests", "gateway_active_requests", {labels}, "help"]'
            file.write_bytes(written(key, value))
            assert reader.series() == by_library(folder)
        Share(folder=folder, number=9).end()
        assert reader.series() == by_library(folder)


def test_a_file_that_is_being_made_says_nothing_yet() -> None:
    with processes(1) as (folder, _):
        (folder / "counter_8.db").touch()
        (folder / "counter_9.db").write_bytes(bytes(1 << 16))
        found = Reader(folder).series()
        for path in ("counter_8.db", "counter_9.db"):
            (folder / path).unlink()
        assert found == by_library(folder)


def test_what_nobody_knows_is_left_out() -> None:
    with processes(1) as (folder, _):
        (folder / "counter_9.db").write_bytes(
            written('["gateway_of_old", "gateway_of_old_total", {}, "help"]')
        )
        assert not any("of_old" in line for line in Reader(folder).series())


def written(key: str, value: float = 0.0) -> bytes:
    """A file with one name and its number, as the library writes it."""
    padded = key.encode() + b" " * (8 - (len(key) + 4) % 8)
    length = len(key.encode()).to_bytes(4, "little")
    used = 8 + 4 + len(padded) + 16
    return used.to_bytes(4, "little") + bytes(4) + length + padded + pack("dd", value, 0.0)
