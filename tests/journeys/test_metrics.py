"""What `/metrics` says is what the ledger says, read with Prometheus' own parser."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.adapters.reports import EntryRow
from gateway.core.money import PUSD_PER_USD
from tests.fakes.rawserver import RawServer, read_request, send, wait_for
from tests.journeys.caller import calling, whole_answer
from tests.journeys.cuts import all_of
from tests.journeys.held import patience
from tests.journeys.stage import TENANT, Stage, body, make_key, stage, until

OTHER_TENANT = "acme/ads"
OUTCOMES = {"completed", "incomplete", "failed", "cancelled", "refused", "aborted"}
TOKEN_TYPES = {"input", "input_cached", "input_cache_write", "output", "output_reasoning"}
MIX = (
    ("gpt-5-mini", "Hello [sim: output=31]"),
    ("gpt-5-mini", "[sim: usage=in:1200,cached:1024,write:0,out:300,reasoning:100]"),
    ("gpt-5.6", "[sim: usage=in:5000,cached:1024,write:512,out:40,reasoning:0]"),
    ("gpt-5.6", "[sim: kind=incomplete]"),
    ("gpt-4.1", "[sim: kind=failed]"),
    ("gpt-4.1", "[sim: kind=failed; when=after]"),
    ("gpt-5-mini", "[sim: cut=400]"),
    ("gpt-5-mini", "[sim: status=500]"),
    ("gpt-5-mini", "[sim: usage=null]"),
    ("gpt-of-nobody", "Hello"),
)

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scraped(on: Stage) -> Samples:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://127.0.0.1:{on.port}/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


def by(samples: Samples, name: str, *labels: str) -> dict[tuple[str, ...], float]:
    """A family's values that are not zero, by these labels."""
    sums: Counter[tuple[str, ...]] = Counter()
    for (sample, given), amount in samples.items():
        if sample == name and amount:
            sums[tuple(dict(given)[label] for label in labels)] += amount  # type: ignore[assignment]  # a Counter of floats
    return dict(sums)


def tokens(entry: EntryRow) -> dict[str, int]:
    """An entry's counts as disjoint types."""
    cached, written = entry.cached_tokens or 0, entry.cache_write_tokens or 0
    reasoning = entry.reasoning_tokens or 0
    return {
        "input": (entry.input_tokens or 0) - cached - written,
        "input_cached": cached,
        "input_cache_write": written,
        "output": (entry.output_tokens or 0) - reasoning,
        "output_reasoning": reasoning,
    }


def model(entry: EntryRow) -> str:
    return entry.priced_model or "other"


def assert_agree(samples: Samples, entries: list[EntryRow]) -> None:
    """Requests, tokens and cost of the counters are the entries'."""
    assert by(samples, "gateway_requests_total", "tenant", "model", "outcome") == Counter(
        (entry.tenant, model(entry), entry.outcome) for entry in entries
    )
    counts: Counter[tuple[str, ...]] = Counter()
    for entry in entries:
        for kind, count in tokens(entry).items():
            counts[entry.tenant, model(entry), kind] += count
    assert by(samples, "gateway_tokens_total", "tenant", "model", "type") == +counts
    costs: Counter[tuple[str, ...]] = Counter()
    for entry in entries:
        costs[entry.tenant, model(entry)] += entry.cost_pusd or 0
    wanted = {key: cost / PUSD_PER_USD for key, cost in costs.items() if cost}
    assert by(samples, "gateway_cost_usd_total", "tenant", "model") == pytest.approx(wanted)
    unpriced = sum(entry.cost_pusd is None for entry in entries)
    assert sum(by(samples, "gateway_unpriced_requests_total", "model").values()) == unpriced
    assert_gauges(samples, entries)


def assert_gauges(samples: Samples, entries: list[EntryRow]) -> None:
    """The ledger's own sums, for every tenant that is there, spent or not."""
    sums: Counter[str] = Counter({"acme": 0, TENANT: 0, OTHER_TENANT: 0})
    for entry in entries:
        sums[entry.tenant] += entry.cost_pusd or 0
    for tenant, cost_pusd in sums.items():
        for window in ("today", "month"):
            usd = value(samples, "gateway_cost_usd", tenant=tenant, window=window)
            assert usd == pytest.approx(cost_pusd / PUSD_PER_USD)


async def test_metrics_agree_with_the_entries(tmp_path: Path) -> None:
    async with patience(), stage(tmp_path, policy={"unpriced": "record"}) as on:
        keys = [on.key, make_key(on.engine, OTHER_TENANT)]
        asked = [
            (key, body(text, model=name, stream=is_stream))
            for key in keys
            for name, text in MIX
            for is_stream in (True, False)
        ]

        async def ask(one: tuple[str, dict[str, Any]]) -> None:
            key, given = one
            await whole_answer(on.port, key, given)

        await all_of(asked, ask)
        entries = await on.settled(len(asked))
        samples = await scraped(on)
        assert_agree(samples, entries)
        assert {entry.tenant for entry in entries} == {TENANT, OTHER_TENANT}
        assert {entry.outcome for entry in entries} == OUTCOMES - {"refused", "cancelled"}
        assert await http_requests(on, len(asked)) == Counter(
            str(entry.http_status) for entry in entries
        )
        assert value(samples, "gateway_ledger_queue_depth") == 0
        assert value(samples, "gateway_ledger_failures_total") == 0
        assert by(samples, "gateway_active_requests", "kind") == {}


async def http_requests(on: Stage, count: int) -> dict[str, float]:
    """Answers by status, once all of them are counted: that comes after their last byte."""
    while True:
        labels = "route", "method", "status"
        found = by(await scraped(on), "gateway_http_requests_total", *labels)
        if sum(found.values()) >= count:
            assert {key[:2] for key in found} == {("/v1/responses", "POST")}
            return {status: amount for (_, _, status), amount in found.items()}


async def test_series_are_there_before_their_first_increase(tmp_path: Path) -> None:
    gate = asyncio.Event()
    upstream = RawServer([read_request, wait_for(gate), send(b"HTTP/1.1 503 No\r\n\r\n")])
    async with upstream, stage(tmp_path, upstream={"base_url": upstream.url}) as on:
        fresh = await scraped(on)
        for kind in ("stream", "whole", "draining", "background"):
            assert value(fresh, "gateway_active_requests", kind=kind) == 0
        for stage_name in ("auth", "policy", "hold", "settle"):
            assert value(fresh, "gateway_overhead_seconds_count", stage=stage_name) == 0
        async with calling(on.port, on.key, body()) as caller:
            await upstream.until(lambda server: len(server.requests) == 1)
            samples = await scraped(on)
            labels = {"tenant": TENANT, "model": "gpt-5-mini"}
            for outcome in OUTCOMES:
                assert value(samples, "gateway_requests_total", outcome=outcome, **labels) == 0
            for kind in TOKEN_TYPES:
                assert value(samples, "gateway_tokens_total", type=kind, **labels) == 0
            assert value(samples, "gateway_cost_usd_total", **labels) == 0
            assert value(samples, "gateway_active_requests", kind="stream") == 1
            gate.set()
            await caller.read()
        await on.settled(1)


async def test_refusals_are_counted_by_their_reason(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        wanted: Counter[tuple[str, ...]] = Counter()
        for key, given, tenant, reason in (
            (on.key, body(model="gpt-of-nobody"), TENANT, "model_not_priced"),
            (on.key, body(stream="yes"), TENANT, "invalid_type"),
            ("sk-wrong", body(), "", "invalid_api_key"),
            ("gw_evil\N{LATIN SMALL LETTER E WITH ACUTE}", body(), "", "invalid_api_key"),
        ):
            await whole_answer(on.port, key, given)
            wanted[tenant, reason] += 1
        refusals: dict[tuple[str, ...], float] = {}

        async def counted() -> None:
            while sum(refusals.values()) < wanted.total():
                refusals.update(by(await scraped(on), "gateway_refusals_total", "tenant", "reason"))

        await counted()
        assert refusals == wanted
        assert on.entries() == []
        await until(lambda: on.simulator.open_count == 0)
        assert len(on.simulator.requests) == 0
