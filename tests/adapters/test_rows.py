"""Records to rows and back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, insert, select

from gateway.adapters import schema
from gateway.adapters.database import write_transaction
from gateway.adapters.rows import (
    COST_PUSD_MAX,
    OUT_OF_RANGE,
    entry_row,
    hold_from_row,
    hold_row,
    lines_from_text,
    rollup_row,
    storable_text,
    use_from_text,
)
from gateway.core.cost import CostLine
from gateway.core.tool_use import ImageUse, ToolUse
from tests import builders


def _as_entry(**fields: Any) -> dict[str, Any]:
    return dict(zip(schema.entry.c.keys(), entry_row(builders.exchange(**fields)), strict=True))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"price": None, "service_tier": "flex", "is_stream": False},
        {"tags": {"run": "nightly", "Größe": '"'}},
    ],
)
def test_a_hold_reads_back_as_it_was_written(engine: Engine, fields: dict[str, Any]) -> None:
    hold = builders.hold(**fields)
    names = schema.hold.c.keys()
    with write_transaction(engine) as connection:
        row = dict(zip(names, hold_row(hold, owner_id="me"), strict=True))
        connection.execute(insert(schema.hold).values(row))
    with engine.connect() as connection:
        read = connection.execute(select(schema.hold)).one()
    assert hold_from_row(read) == hold
    assert (read.owner, read.legs, read.response_id) == ("me", "[]", None)


def test_an_entry_has_every_fact_in_its_column() -> None:
    row = _as_entry(
        hold=builders.hold(
            request_id="req-1", tags={"a": "b"}, service_tier="auto", max_output_tokens=50
        ),
        reason="stop",
        client_gone=True,
        usage=builders.usage(cached_tokens=7, cache_write_tokens=5, reasoning_tokens=3),
    )
    assert row == {
        "request_id": "req-1",
        "created_at_us": builders.AT_US,
        "settled_at_us": builders.AT_US + 1_500_000,
        "tenant": "acme/search",
        "key_id": "k00000000001",
        "endpoint": "/v1/responses",
        "response_id": "resp_1",
        "model": "gpt-test",
        "served_model": "gpt-test-2026-01-01",
        "priced_model": "gpt-test",
        "service_tier": "default",
        "requested_tier": "auto",
        "is_stream": True,
        "max_output_tokens": 50,
        "outcome": "completed",
        "reason": "stop",
        "client_gone": True,
        "recoverable": False,
        "basis": "reported",
        "problem": None,
        "http_status": 200,
        "upstream_request_id": "req_up",
        "input_tokens": 100,
        "cached_tokens": 7,
        "cache_write_tokens": 5,
        "output_tokens": 20,
        "reasoning_tokens": 3,
        "cost_pusd": 360_000_000,
        "unpriced_use": None,
        "hold_pusd": 5_000_000_000,
        "price_version": "2026-11-22+000000000000",
        "lines": '[["input",100,2000000,200000000],["output",20,8000000,160000000]]',
        "legs": "[]",
        "tags": '{"a":"b"}',
        "duration_us": 1_500_000,
        "first_byte_us": 250_000,
    }


def test_what_is_not_known_is_null_and_not_zero() -> None:
    row = _as_entry(
        hold=builders.hold(price=None),
        usage=None,
        cost_pusd=None,
        lines=(),
        first_byte_seconds=None,
    )
    unknown = ("input_tokens", "output_tokens", "cost_pusd", "price_version", "first_byte_us")
    assert [row[name] for name in unknown] == [None] * 5
    assert row["lines"] == "[]"
    assert row["unpriced_use"] is None


def test_what_has_no_price_keeps_all_that_one_needs() -> None:
    usage = builders.usage(cache_write_tokens=5, cache_write_12h_tokens=4)
    tools = ToolUse(
        web_searches=2,
        search_tools=frozenset({"web_search"}),
        items={"web_search_call": 3},
        containers={"1g": 1},
        images=ImageUse(models=("",), usage=usage),
    )
    row = _as_entry(usage=usage, tools=tools, cost_pusd=None)
    assert use_from_text(row["unpriced_use"]) == (usage, tools)


def test_a_cost_beyond_belief_is_unknown() -> None:
    assert _as_entry(cost_pusd=COST_PUSD_MAX)["cost_pusd"] == COST_PUSD_MAX
    row = _as_entry(cost_pusd=COST_PUSD_MAX + 1)
    assert (row["cost_pusd"], row["problem"]) == (None, OUT_OF_RANGE)
    _, counts = rollup_row(builders.exchange(cost_pusd=COST_PUSD_MAX + 1))
    assert counts == (1, 100, 0, 0, 20, 0, 0, 1)


def test_lines_keep_numbers_of_any_size() -> None:
    line = CostLine(meter="input", quantity=2**53, unit_price_pusd=10**9, cost_pusd=2**53 * 10**9)
    assert lines_from_text(_as_entry(lines=(line,))["lines"]) == (line,)


def test_an_hour_is_that_of_admission_and_its_model_the_price_books() -> None:
    late = builders.exchange(
        hold=builders.hold(created_at_us=schema.HOUR_US - 1), settled_at_us=schema.HOUR_US + 1
    )
    assert rollup_row(late)[0] == (0, "acme/search", "k00000000001", "gpt-test", "default")
    bare = builders.exchange(hold=builders.hold(price=None), service_tier=None, usage=None)
    assert rollup_row(bare)[0][3:] == ("other", "")


@given(text=st.text(st.characters(categories=["L", "N", "P", "Zs", "Cc", "Cs"])))
def test_what_can_be_kept_is_kept_as_it_is(text: str) -> None:
    kept = storable_text(text)
    assert "\0" not in kept
    kept.encode()
    if "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text):
        assert kept == text


def test_no_name_costs_an_entry_its_cost(engine: Engine) -> None:
    """Neither database keeps NUL and half a surrogate pair alike, so neither is asked to."""
    bad = "a\0b\ud800"
    hold = builders.hold(model=bad, service_tier=bad, tags={bad: bad})
    exchange = builders.exchange(
        hold=hold, response_id=bad, model=bad, service_tier=bad, reason=bad, upstream_request_id=bad
    )
    names = schema.entry.c.keys()
    with write_transaction(engine) as connection:
        row = dict(zip(names, entry_row(exchange), strict=True))
        connection.execute(insert(schema.entry).values(row))
    with engine.connect() as connection:
        read = connection.execute(select(schema.entry)).one()
    assert read.model.startswith("a\ufffdb")
    assert read.cost_pusd == exchange.cost_pusd
    cell, _ = rollup_row(exchange)
    assert cell[4] == read.service_tier
