"""Several processes show the metrics that one would have; none is lost when one of them dies."""

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import values
from prometheus_client.parser import text_string_to_metric_families

from gateway.adapters.metric_files import FOLDER_PREFIX, Share, metric_folder
from gateway.adapters.metrics import Metrics
from gateway.core.exchange import Basis, Outcome
from tests.adapters.test_metrics import Samples, Tried, ended, samples, value
from tests.builders import usage

MOVES: list[Callable[[Metrics], None]] = [
    lambda metrics: metrics(ended()),
    lambda metrics: metrics(ended(client_gone=True)),
    lambda metrics: metrics(ended(outcome=Outcome.ABORTED, usage=None, basis=Basis.WORST_CASE)),
    lambda metrics: metrics(ended(cost_pusd=None)),
    lambda metrics: metrics(
        ended(outcome=Outcome.INCOMPLETE, reason="max_output_tokens", usage=usage(output_tokens=64))
    ),
    lambda metrics: metrics.refused("acme", "policy_denied"),
    lambda metrics: metrics.refused("", "invalid_api_key"),
    lambda metrics: metrics.clamped("acme", ["store"]),
    lambda metrics: metrics.http_request("/v1/responses", "POST", 200),
    lambda metrics: metrics.overhead("hold", 0.001),
    lambda metrics: metrics.active("stream", 1),
    lambda metrics: metrics.active("stream", -1),
    lambda metrics: metrics.upstream_attempt("api.openai.com", "answered"),
    lambda metrics: metrics.upstream_healthy("api.openai.com", is_healthy=True),
    lambda metrics: metrics.upstream_healthy("api.openai.com", is_healthy=False),
    lambda metrics: metrics.hold_expired("worst_case"),
    lambda metrics: metrics.batch(Tried(duration_seconds=0.5, is_committed=False)),
    lambda metrics: metrics.tenant_known("acme/search"),
]


@contextmanager
def processes(count: int) -> Iterator[tuple[Path, list[Metrics]]]:
    """The metrics of so many processes: each has files of its own, as if it ran alone."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROMETHEUS_MULTIPROC_DIR", "")  # both are put back as they were
        patch.setattr(values, "ValueClass", values.ValueClass)
        yield Path(folder), [process(Path(folder), number) for number in range(count)]
        values.close_all_multiprocess_files()  # type: ignore[no-untyped-call]  # the library forgot its types


def process(folder: Path, number: int) -> Metrics:
    share = Share(folder=folder, number=number)
    return Metrics(version="1", share=share, totals=lambda: {("acme", "today"): 10**12})


def alone() -> Metrics:
    return Metrics(version="1", totals=lambda: {("acme", "today"): 10**12})


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(MOVES)), max_size=20))
def test_what_several_count_is_what_one_would(
    moves: list[tuple[int, Callable[[Metrics], None]]],
) -> None:
    one = alone()
    with processes(3) as (_, several):
        for number, move in moves:
            move(several[number])
            move(one)
        assert samples(several[0]) == samples(several[2]) == pytest.approx(samples(one))


def test_what_is_born_at_zero_is_seen_of_all() -> None:
    with processes(2) as (_, (one, other)):
        other.tenant_seen("acme", "gpt-test")
        who = {"tenant": "acme", "model": "gpt-test"}
        assert value(one, "gateway_cost_usd_total", **who) == 0


def test_no_series_names_a_process_or_its_birth() -> None:
    with processes(2) as (_, (one, _other)):
        text = one.render().decode()
    labels = {
        name
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        for name in sample.labels
    }
    assert "pid" not in labels
    assert "_created" not in text


def test_what_is_watched_is_added_up_as_it_was_last_asked() -> None:
    with processes(2) as (_, (one, other)):
        one.watch_queue(lambda: 3)
        other.watch_queue(lambda: 4)
        other.watch_journal(lambda: 100)
        other.sample()
        assert value(one, "gateway_ledger_queue_depth") == 7
        assert value(one, "gateway_journal_bytes") == 100


def test_a_successor_counts_on_and_what_was_under_way_is_no_more() -> None:
    with processes(2) as (folder, (one, other)):
        for metrics in (one, other):
            metrics(ended())
            metrics.active("stream", 1)
            metrics.upstream_healthy("api.openai.com", is_healthy=True)
        before = samples(one)
        Share(folder=folder, number=1).end()
        assert value(one, "gateway_active_requests", kind="stream") == 1
        assert without_active(samples(one)) == without_active(before)
        files = set(folder.iterdir())
        successor = process(folder, 1)
        assert without_active(samples(successor)) == without_active(before)
        successor(ended())
        who = {"tenant": "acme", "model": "gpt-test", "outcome": "completed"}
        assert value(one, "gateway_requests_total", **who) == 3
        assert {path.name for path in set(folder.iterdir()) - files} == {"gauge_livesum_1.db"}


def without_active(found: Samples) -> Samples:
    return {key: value for key, value in found.items() if key[0] != "gateway_active_requests"}


def test_the_folder_is_private_and_goes_with_its_gateway(tmp_path: Path) -> None:
    with metric_folder(1, spare=tmp_path, memory=tmp_path) as folder:
        (folder / "counter_0.db").touch()
        assert folder.parent == tmp_path
        assert folder.stat().st_mode & 0o077 == 0
    assert list(tmp_path.iterdir()) == []


def test_what_the_killed_left_is_wiped_and_what_lives_is_kept(tmp_path: Path) -> None:
    left, other = tmp_path / f"{FOLDER_PREFIX}left", tmp_path / "another-program"
    for folder in (left, other):
        folder.mkdir()
        (folder / "counter_0.db").touch()
    (tmp_path / f"{FOLDER_PREFIX}link").symlink_to(other)
    with (
        metric_folder(1, spare=tmp_path, memory=tmp_path) as one,
        metric_folder(1, spare=tmp_path, memory=tmp_path) as two,
    ):
        assert one != two
        assert one.is_dir()
        assert not left.exists()
        assert (other / "counter_0.db").exists()


def test_a_worker_that_outlives_its_parent_keeps_the_folder(tmp_path: Path) -> None:
    with metric_folder(1, spare=tmp_path, memory=tmp_path) as folder:
        lock = os.open(folder, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(lock)


@pytest.mark.parametrize(("memory", "workers"), [("missing", 1), (".", 1 << 40)])
def test_where_memory_does_not_suffice_the_spare_folder_serves(
    tmp_path: Path, memory: str, workers: int
) -> None:
    spare = tmp_path / "spare"
    spare.mkdir()
    with metric_folder(workers, spare=spare, memory=tmp_path / memory) as folder:
        assert folder.parent == spare
