"""Holds and exchanges as rows of their tables, and back. Not here: when they are written.

A row is a plain tuple in the order of the table's columns, made by the caller of the ledger, so
that what cannot be written fails there and not in a batch that others share. Flags are numbers in
it: SQLite's driver looks for a way to write every other type, value by value.
"""

import json
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Row as DatabaseRow

from gateway.adapters import schema
from gateway.core.budget import Leg
from gateway.core.cost import CostLine
from gateway.core.exchange import Exchange, Hold
from gateway.core.pinned import price_from_json, price_to_json
from gateway.core.tool_use import ToolUse
from gateway.core.usage import Usage

Value = str | int | bytes | None
Row = tuple[Any, ...]  # of values

# No response costs a hundred thousand dollars: a count that says so is wrong, and a few such counts
# would leave the 64 bits of an hour's sum.
COST_PUSD_MAX = 10**17
OUT_OF_RANGE = "cost_out_of_range"
UNPRICED_MODEL = "other"
REPLACED = "\N{REPLACEMENT CHARACTER}"

_NO_USAGE: Row = (None, None, None, None, None)
_encode = msgspec.json.Encoder().encode


def storable_text(text: str) -> str:
    """What both databases can keep: no NUL, and no half of a surrogate pair.

    Names come from upstreams and clients, and a cost must not be lost to one of them.
    """
    if text.isprintable():  # the only test at the speed of C; almost every name passes it
        return text
    return text.replace("\0", REPLACED).encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def hold_row(hold: Hold, *, owner_id: str) -> Row:
    """The row of `schema.hold`; its legs are known when it is placed."""
    return (
        hold.request_id,
        hold.tenant,
        hold.key_id,
        hold.created_at_us,
        hold.hold_pusd,
        None if hold.legs is None else legs_text(hold.legs),
        owner_id,
        None,
        hold.endpoint,
        storable_text(hold.model),
        _text(hold.service_tier),
        int(hold.is_stream),
        hold.max_output_tokens,
        price_to_json(hold.price) if hold.price else None,
        _tags_text(hold.tags),
    )


def hold_from_row(row: DatabaseRow[Any]) -> Hold:
    """What `hold_row` wrote. Raises ValueError when its price cannot be read."""
    return Hold(
        request_id=row.request_id,
        tenant=row.tenant,
        key_id=row.key_id,
        created_at_us=row.created_at_us,
        hold_pusd=row.hold_pusd,
        endpoint=row.endpoint,
        model=row.model,
        service_tier=row.service_tier,
        is_stream=bool(row.is_stream),
        max_output_tokens=row.max_output_tokens,
        price=price_from_json(row.price) if row.price else None,
        tags=json.loads(row.tags),
        legs=legs_from_text(row.legs),
    )


def entry_row(exchange: Exchange) -> Row:
    """The row of `schema.entry`."""
    hold = exchange.hold
    cost_pusd, problem = storable_cost(exchange)
    return (
        hold.request_id,
        hold.created_at_us,
        exchange.settled_at_us,
        hold.tenant,
        hold.key_id,
        hold.endpoint,
        _text(exchange.response_id),
        storable_text(hold.model),
        _text(exchange.model),
        exchange.priced_model,
        _text(exchange.service_tier),
        _text(hold.service_tier),
        int(hold.is_stream),
        hold.max_output_tokens,
        exchange.outcome.value,
        _text(exchange.reason),
        int(exchange.client_gone),
        int(exchange.recoverable),
        exchange.basis.value,
        problem,
        exchange.http_status,
        _text(exchange.upstream_request_id),
        *(_NO_USAGE if exchange.usage is None else _tokens(exchange.usage)),
        cost_pusd,
        _use_text(exchange) if cost_pusd is None else None,
        hold.hold_pusd,
        exchange.price_version,
        lines_text(exchange.lines),
        None if hold.legs is None else legs_text(hold.legs),
        _tags_text(hold.tags),
        _us(exchange.duration_seconds),
        None if exchange.first_byte_seconds is None else _us(exchange.first_byte_seconds),
    )


def owned_row(object_id: str, kind: str, tenant: str, at_us: int) -> Row:
    """The row of `schema.owned`."""
    return storable_text(object_id), kind, tenant, at_us


def rollup_row(exchange: Exchange) -> tuple[Row, tuple[int, ...]]:
    """The key of its cell in `schema.usage_hour`, and what it adds to the counts there."""
    hold = exchange.hold
    cell = (
        hold.created_at_us // schema.HOUR_US,
        hold.tenant,
        hold.key_id,
        exchange.priced_model or UNPRICED_MODEL,
        _text(exchange.service_tier) or "",
    )
    cost_pusd, _ = storable_cost(exchange)
    tokens = (0, 0, 0, 0, 0) if exchange.usage is None else _tokens(exchange.usage)
    return cell, (1, *tokens, cost_pusd or 0, int(cost_pusd is None))


def storable_cost(exchange: Exchange) -> tuple[int | None, str | None]:
    """Cost and problem as they can be kept: a cost beyond belief is unknown, and says so."""
    if exchange.cost_pusd is not None and exchange.cost_pusd > COST_PUSD_MAX:
        return None, OUT_OF_RANGE
    return exchange.cost_pusd, exchange.problem


@lru_cache(maxsize=4096)
def legs_text(legs: tuple[Leg, ...]) -> str:
    """Legs as a row has them: most requests of a tenant share theirs."""
    return _encode(legs).decode()


@lru_cache(maxsize=4096)
def legs_from_text(text: str) -> tuple[Leg, ...]:
    """What `legs_text` wrote."""
    return tuple((budget_id, start_us) for budget_id, start_us in json.loads(text))


def lines_from_text(text: str) -> tuple[CostLine, ...]:
    """The cost lines of an entry."""
    return tuple(
        CostLine(meter=meter, quantity=quantity, unit_price_pusd=unit, cost_pusd=cost)
        for meter, quantity, unit, cost in json.loads(text)
    )


def lines_text(lines: tuple[CostLine, ...]) -> str:
    """Cost lines as a row has them."""
    if not lines:
        return "[]"
    rows = [(line.meter, line.quantity, line.unit_price_pusd, line.cost_pusd) for line in lines]
    return _encode(rows).decode()


def use_from_text(text: str) -> tuple[Usage, ToolUse]:
    """What an unpriced entry keeps. Raises ValueError where this version cannot read it."""
    return msgspec.json.decode(text, type=tuple[Usage, ToolUse])


def _use_text(exchange: Exchange) -> str | None:
    if exchange.usage is None:
        return None
    return _encode((exchange.usage, exchange.tools)).decode()


def _tags_text(tags: dict[str, str]) -> str:
    if not tags:
        return "{}"
    clean = {storable_text(name): storable_text(value) for name, value in tags.items()}
    return _encode(clean).decode()


def _text(text: str | None) -> str | None:
    return text if text is None or text.isprintable() else storable_text(text)


def _tokens(usage: Usage) -> tuple[int, int, int, int, int]:
    return (
        usage.input_tokens,
        usage.cached_tokens,
        usage.cache_write_tokens,
        usage.output_tokens,
        usage.reasoning_tokens,
    )


def _us(seconds: float) -> int:
    return round(seconds * 1_000_000)
