"""Log lines: one an exchange, readable by machines, and nothing in them that a client can forge."""

import asyncio
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.adapters.logs import ExchangeLog, configure_logs
from gateway.core.exchange import Exchange
from tests.builders import exchange, hold, usage

ALLOWED = {
    "time", "level", "logger", "message", "request_id", "tenant", "key_id", "endpoint", "is_stream",
    "model", "served_model", "service_tier", "outcome", "basis", "reason", "problem", "client_gone",
    "http_status", "response_id", "client_request_id", "upstream_request_id", "input_tokens",
    "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens", "cost_usd",
    "hold_usd", "price_version", "duration_seconds", "first_byte_seconds", "first_output_seconds",
    "events",
}  # fmt: skip


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def log_exchange(*settled: Exchange) -> None:
    """Have their lines written, as the event loop comes round."""

    async def turn() -> None:
        log = ExchangeLog()
        for one in settled:
            log(one)
        await asyncio.sleep(0)

    asyncio.run(turn())


def line_of(settled: Exchange, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    configure_logs("info", json=True)
    log_exchange(settled)
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    fields: dict[str, Any] = json.loads(line)
    return fields


def test_an_exchange_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    settled = exchange(
        hold=hold(request_id="r1", tenant="acme", hold_pusd=10**12),
        cost_pusd=5_400_000_000,
        usage=usage(input_tokens=1_200, output_tokens=300),
    )
    fields = line_of(settled, capsys)
    assert fields["message"] == "exchange"
    assert fields["level"] == "info"
    assert fields["time"].endswith("Z")
    assert (fields["request_id"], fields["tenant"]) == ("r1", "acme")
    assert (fields["cost_usd"], fields["hold_usd"]) == ("0.005400000000", "1.000000000000")
    assert (fields["input_tokens"], fields["output_tokens"]) == (1_200, 300)
    assert fields.keys() <= ALLOWED


@pytest.mark.parametrize("is_json", [True, False])
def test_exchanges_of_one_turn_of_the_loop_are_a_line_each(
    *, is_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs("info", json=is_json)
    log_exchange(*[exchange(hold=hold(request_id=name)) for name in ("r1", "r2", "r3")])
    lines = capsys.readouterr().err.splitlines()
    assert [name in line for name, line in zip(("r1", "r2", "r3"), lines, strict=True)] == [
        True
    ] * 3


def test_what_is_not_known_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    settled = exchange(
        hold=hold(price=None),
        cost_pusd=None,
        usage=None,
        model=None,
        first_byte_seconds=None,
        first_output_seconds=0.25,
    )
    fields = line_of(settled, capsys)
    assert fields["first_output_seconds"] == 0.25
    absent = {"cost_usd", "price_version", "input_tokens", "served_model", "first_byte_seconds"}
    assert not absent & fields.keys()


def test_tags_are_a_clients_and_stay_out(capsys: pytest.CaptureFixture[str]) -> None:
    fields = line_of(exchange(hold=hold(tags={"prompt": "a secret"})), capsys)
    assert "a secret" not in json.dumps(fields)


@pytest.mark.parametrize("is_json", [True, False])
def test_a_model_name_can_neither_forge_a_line_nor_flood_it(
    *, is_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs("info", json=is_json)
    log_exchange(exchange(hold=hold(model='x\n{"forged": 1}' + "y" * 10_000)))
    (line,) = capsys.readouterr().err.splitlines()
    assert len(line) < 2_000
    assert "y" * 201 not in line


def test_text_lines_are_for_eyes(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("INFO", json=False)
    log_exchange(exchange(hold=hold(tenant="acme")))
    logging.getLogger("gateway").warning("plain")
    first, second = capsys.readouterr().err.splitlines()
    assert ' exchange request_id="' in first
    assert 'tenant="acme"' in first
    assert second.endswith("WARNING plain")


@pytest.mark.parametrize("is_json", [True, False])
def test_a_traceback_is_kept(*, is_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", json=is_json)
    try:
        int("no number")
    except ValueError:
        logging.getLogger("gateway").exception("broken")
    err = capsys.readouterr().err
    assert "ValueError: invalid literal" in err
    assert (err.count("\n") == 1) is is_json


def test_the_level_is_kept_and_chatter_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("warning", json=True)
    log_exchange(exchange())
    configure_logs("info", json=True)
    logging.getLogger("uvicorn.access").info('127.0.0.1 - "GET /"')
    logging.getLogger("httpx").info("HTTP Request: POST https://upstream")
    assert capsys.readouterr().err == ""


def test_uvicorns_own_handlers_do_not_write_a_line_twice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logging.getLogger("uvicorn").addHandler(logging.StreamHandler(sys.stderr))
    configure_logs("info", json=True)
    logging.getLogger("uvicorn.error").info("started")
    assert len(capsys.readouterr().err.splitlines()) == 1
