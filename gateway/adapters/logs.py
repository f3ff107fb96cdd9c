"""Log lines: JSON on standard error, one line an exchange, from an allow-list of fields.

Never here: a body, a key, a header, or a word of a prompt. What a client chose (its model's name)
is cut short and escaped, so that it can neither flood nor forge a line.
"""

import datetime as dt
import logging
import sys
from typing import Any

import msgspec

from gateway.core.attribution import CLIENT_REQUEST_TAG
from gateway.core.exchange import Exchange
from gateway.core.money import to_usd

TEXT_CHARACTERS_MAX = 200
_FIELDS = "exchange_fields"
_log = logging.getLogger("gateway.exchange")
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


def log_exchange(exchange: Exchange) -> None:
    """Write the line of a settled exchange."""
    if _log.isEnabledFor(logging.INFO):
        _log.info("exchange", extra={_FIELDS: _fields(exchange)})


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, _FIELDS, {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


class TextLines(logging.Formatter):
    """For eyes: time, level, message and `name=value` pairs."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line, followed by the traceback if there is one."""
        fields: dict[str, Any] = getattr(record, _FIELDS, {})
        pairs = [f"{name}={msgspec.json.encode(value).decode()}" for name, value in fields.items()]
        parts = (_time(record), f"{record.levelname:7}", record.getMessage(), *pairs)
        line = " ".join(parts)
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _time(record: logging.LogRecord) -> str:
    at = dt.datetime.fromtimestamp(record.created, tz=dt.UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fields(exchange: Exchange) -> dict[str, Any]:
    hold, usage = exchange.hold, exchange.usage
    fields = {
        "request_id": hold.request_id,
        "tenant": hold.tenant,
        "key_id": hold.key_id,
        "endpoint": hold.endpoint,
        "is_stream": hold.is_stream,
        "model": _short(hold.model),
        "served_model": _short(exchange.model),
        "service_tier": _short(exchange.service_tier),
        "outcome": exchange.outcome.value,
        "basis": exchange.basis.value,
        "reason": _short(exchange.reason),
        "problem": _short(exchange.problem),
        "client_gone": exchange.client_gone,
        "http_status": exchange.http_status,
        "response_id": _short(exchange.response_id),
        "client_request_id": hold.tags.get(CLIENT_REQUEST_TAG),
        "upstream_request_id": _short(exchange.upstream_request_id),
        "input_tokens": usage.input_tokens if usage else None,
        "cached_tokens": usage.cached_tokens if usage else None,
        "cache_write_tokens": usage.cache_write_tokens if usage else None,
        "output_tokens": usage.output_tokens if usage else None,
        "reasoning_tokens": usage.reasoning_tokens if usage else None,
        "cost_usd": None if exchange.cost_pusd is None else to_usd(exchange.cost_pusd),
        "hold_usd": to_usd(hold.hold_pusd),
        "price_version": exchange.price_version,
        "duration_seconds": round(exchange.duration_seconds, 6),
        "first_byte_seconds": _rounded(exchange.first_byte_seconds),
        "first_output_seconds": _rounded(exchange.first_output_seconds),
        "events": exchange.events,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _short(text: str | None) -> str | None:
    return text[:TEXT_CHARACTERS_MAX] if text is not None else None


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
