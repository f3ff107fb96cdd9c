"""Log lines: JSON on standard error, one line an exchange, from an allow-list of fields.

Never here: a body, a key, a header, or a word of a prompt. What a client chose (its model's name)
is cut short and escaped, so that it can neither flood nor forge a line.
"""

import asyncio
import datetime as dt
import logging
import sys
from collections.abc import Iterator
from typing import Any

from msgspec import Struct, structs
from msgspec import json as msgjson

from gateway.core.attribution import CLIENT_REQUEST_TAG
from gateway.core.exchange import Basis, Exchange, Outcome
from gateway.core.money import to_usd

TEXT_CHARACTERS_MAX = 200
LINES = "exchange_lines"  # of a log record: what the exchanges are that it is about
_log = logging.getLogger("gateway.exchange")
_encode = msgjson.Encoder().encode
# They would write a line a request, with URLs, beside ours.
_QUIET = ("httpx", "httpcore", "uvicorn.access")


def configure_logs(level: str, *, json: bool) -> None:
    """Send all logging to standard error from `level` upwards, as JSON or as text."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if json else TextLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error"):  # their own handlers would write each line twice
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True


class ExchangeLog:
    """Writes the lines of settled exchanges: those of one turn of the event loop together.

    A record, a lock and a write for each would cost more than all that is in the lines.
    """

    def __init__(self) -> None:
        self._lines: list[ExchangeLine] = []

    def __call__(self, exchange: Exchange) -> None:
        if _log.isEnabledFor(logging.INFO):
            if not self._lines:
                asyncio.get_running_loop().call_soon(self._write)
            self._lines.append(_line(exchange))

    def _write(self) -> None:
        lines, self._lines = self._lines, []
        _log.info("exchange", extra={LINES: lines})


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line; one of exchanges as a line for each."""
        head: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            head["exception"] = self.formatException(record.exc_info)
        begun = _encode(head)
        lines: list[ExchangeLine] | None = getattr(record, LINES, None)
        if lines is None:
            return begun.decode()
        begun = begun[:-1] + b","
        return b"\n".join([begun + _encode(line)[1:] for line in lines]).decode()


class TextLines(logging.Formatter):
    """For eyes: time, level, message and `name=value` pairs."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line, followed by the traceback if there is one."""
        begun = " ".join((_time(record), f"{record.levelname:7}", record.getMessage()))
        if record.exc_info:
            return f"{begun}\n{self.formatException(record.exc_info)}"
        lines: list[ExchangeLine] | None = getattr(record, LINES, None)
        return begun if lines is None else "\n".join([begun + _pairs(line) for line in lines])


def _pairs(line: "ExchangeLine") -> str:
    def pairs() -> Iterator[str]:
        for name, value in structs.asdict(line).items():
            if value is not None:
                yield f" {name}={_encode(value).decode()}"

    return "".join(pairs())


def _time(record: logging.LogRecord) -> str:
    at = dt.datetime.fromtimestamp(record.created, tz=dt.UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


# A struct, as one is made for each exchange: it is written ten times as fast as a dictionary.
class ExchangeLine(Struct, kw_only=True, omit_defaults=True, gc=False):
    """What is said of an exchange, in this order; what is not known is left out."""

    request_id: str
    tenant: str
    key_id: str
    endpoint: str
    is_stream: bool
    model: str | None = None
    served_model: str | None = None
    service_tier: str | None = None
    outcome: Outcome
    basis: Basis
    reason: str | None = None
    problem: str | None = None
    client_gone: bool
    http_status: int | None = None
    response_id: str | None = None
    client_request_id: str | None = None
    upstream_request_id: str | None = None
    input_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: str | None = None
    hold_usd: str
    price_version: str | None = None
    duration_seconds: float
    first_byte_seconds: float | None = None
    first_output_seconds: float | None = None
    events: int


def _line(exchange: Exchange) -> ExchangeLine:
    hold, usage = exchange.hold, exchange.usage
    return ExchangeLine(
        request_id=hold.request_id,
        tenant=hold.tenant,
        key_id=hold.key_id,
        endpoint=hold.endpoint,
        is_stream=hold.is_stream,
        model=_short(hold.model),
        served_model=_short(exchange.model),
        service_tier=_short(exchange.service_tier),
        outcome=exchange.outcome,
        basis=exchange.basis,
        reason=_short(exchange.reason),
        problem=_short(exchange.problem),
        client_gone=exchange.client_gone,
        http_status=exchange.http_status,
        response_id=_short(exchange.response_id),
        client_request_id=hold.tags.get(CLIENT_REQUEST_TAG),
        upstream_request_id=_short(exchange.upstream_request_id),
        input_tokens=usage.input_tokens if usage else None,
        cached_tokens=usage.cached_tokens if usage else None,
        cache_write_tokens=usage.cache_write_tokens if usage else None,
        output_tokens=usage.output_tokens if usage else None,
        reasoning_tokens=usage.reasoning_tokens if usage else None,
        cost_usd=None if exchange.cost_pusd is None else to_usd(exchange.cost_pusd),
        hold_usd=to_usd(hold.hold_pusd),
        price_version=exchange.price_version,
        duration_seconds=round(exchange.duration_seconds, 6),
        first_byte_seconds=_rounded(exchange.first_byte_seconds),
        first_output_seconds=_rounded(exchange.first_output_seconds),
        events=exchange.events,
    )


def _short(text: str | None) -> str | None:
    return text[:TEXT_CHARACTERS_MAX] if text is not None else None


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
