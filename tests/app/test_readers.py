"""Every reader hears of every exchange, whatever another one does."""

import pytest

from gateway.app.readers import tell
from gateway.core.exchange import Exchange
from tests import builders


def test_a_reader_that_fails_keeps_it_from_no_other(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: Exchange) -> None:
        raise RuntimeError("no disk for logs")

    heard: list[Exchange] = []
    exchange = builders.exchange()
    tell((heard.append, fail, heard.append), exchange)
    assert heard == [exchange, exchange]
    assert "no disk for logs" in caplog.text
