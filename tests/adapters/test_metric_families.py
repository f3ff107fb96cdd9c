"""The families: conventions of their names, children made once, labels that cannot run away."""

import re

import pytest
from prometheus_client import generate_latest

from gateway.adapters.metric_families import (
    BORN,
    COUNTERS,
    GAUGES,
    HISTOGRAMS,
    METRIC_NAMES,
    OTHER,
    Cap,
    Families,
)

# Values of these have no end, so they never are labels.
UNBOUNDED = {"key", "key_id", "user", "request_id", "response_id", "url", "path", "session"}


def test_names_follow_the_conventions() -> None:
    assert all(re.fullmatch(r"gateway(_[a-z]+)+", name) for name in METRIC_NAMES)
    assert all(name.endswith("_total") for name in COUNTERS)
    assert all(name.endswith("_seconds") for name in HISTOGRAMS)
    assert not any(name.endswith("_total") for name in (*GAUGES, *HISTOGRAMS))


def test_labels_are_bounded_and_histograms_know_no_tenant() -> None:
    for text, labels, *_ in (*COUNTERS.values(), *GAUGES.values(), *HISTOGRAMS.values()):
        assert text
        assert not UNBOUNDED & set(labels)
    assert not any("tenant" in labels for _, labels, _ in HISTOGRAMS.values())


def test_buckets_rise() -> None:
    for _, _, buckets in HISTOGRAMS.values():
        assert list(buckets) == sorted(set(buckets))


def test_children_known_beforehand_are_born() -> None:
    text = generate_latest(Families().registry).decode()
    assert 'gateway_stream_aborts_total{phase="output",side="client"} 0.0' in text
    assert 'gateway_active_requests{kind="draining"} 0.0' in text
    assert 'gateway_overhead_seconds_count{stage="settle"} 0.0' in text
    assert "gateway_ledger_failures_total 0.0" in text
    assert all(name in METRIC_NAMES for name in BORN)


def test_a_child_is_made_once() -> None:
    counters = Families().counters
    first = counters["gateway_label_overflow_total", "tenant"]
    assert counters["gateway_label_overflow_total", "tenant"] is first
    with pytest.raises(KeyError):
        counters["gateway_surprise_total",]


def test_a_cap_folds_what_is_too_many_and_counts_it() -> None:
    families = Families()
    overflow = families.counters["gateway_label_overflow_total", "tenant"]
    cap = Cap("tenant", 2, overflow)
    assert [cap(value) for value in ("a", "b", "c", "a", "d")] == ["a", "b", OTHER, "a", OTHER]
    assert [cap.uncounted(value) for value in ("a", "c")] == ["a", OTHER]
    assert families.registry.get_sample_value(
        "gateway_label_overflow_total", {"label": "tenant"}
    ) == pytest.approx(2)
