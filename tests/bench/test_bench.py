"""The benchmark runs and measures all that it says it does. No figure is held against a time."""

import shutil
import sys
from pathlib import Path

import pytest

from bench.comparison import Compared, Extent, compare
from bench.report import BUSY, HEADINGS, machine, put, table, told
from tests.fakes.installs import absent

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")

SMALL = Extent(windows=1, seconds=0.6, streams=(4, 8), stream_seconds=0.1, warm_seconds=0.1)
GATEWAY = "gateway, everything on"


@pytest.fixture(scope="module")
def compared() -> Compared:
    if shutil.which("cc") is None and shutil.which("gcc") is None:
        absent("a C compiler is missing")
    found = compare(SMALL, only=("nginx", "full"))
    # beside other tests a ledger may be late, and says so to who measures
    return compare(SMALL, only=("nginx", "full")) if found.errors() else found


def test_every_figure_is_there_and_positive(compared: Compared) -> None:
    assert compared.errors() == {}
    for workload in SMALL.workloads:
        (window,) = compared.windows[GATEWAY, workload.name]
        assert (window.errors, window.unfinished) == (0, 0)
        times = [window.total_us, window.first_byte_us, *[window.event_us] * (workload.events > 0)]
        assert all(0 < one["p50"] <= one["p99"] for one in times), workload.name
        figures = [window.requests, window.cpu_seconds, window.memory_bytes_max]
        assert min(figures) > 0, workload.name
        assert (window.events > 0) == (workload.events > 0)


def test_a_system_is_a_row_of_the_table(compared: Compared) -> None:
    rows = [line.split(" | ") for line in table(compared).splitlines()]
    assert {len(row) for row in rows} == {len(HEADINGS)}
    assert GATEWAY in table(compared)
    assert len(rows) == 2 + len(compared.systems) - 1  # all but the upstream itself


def test_a_table_says_where_it_is_from(compared: Compared) -> None:
    on = {**machine(), "cores": 2, "load_average_before": 1.5}
    assert BUSY in told(compared, on)
    quiet = told(compared, {**on, "load_average_before": 0.5})
    assert BUSY not in quiet
    assert f"medians of 1 windows of {SMALL.seconds:g} s" in quiet


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    if shutil.which("cc") is None and shutil.which("gcc") is None:
        absent("a C compiler is missing")
    told = compare(Extent(windows=0), litellm_program=str(tmp_path / "litellm"), only=("litellm",))
    assert told.missing == [f"{tmp_path / 'litellm'} is not installed"]


def test_a_table_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text("above\n<!-- x: begin -->\nold\n<!-- x: end -->\nbelow\n")
    put("new", document, name="x")
    assert document.read_text() == "above\n<!-- x: begin -->\nnew\n<!-- x: end -->\nbelow\n"
    with pytest.raises(ValueError, match="no place for y"):
        put("new", document, name="y")
