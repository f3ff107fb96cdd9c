"""Ids in time's order, and requests that end before they are whole. Refusals: the journeys."""

import uuid
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.metrics import Metrics
from gateway.app.attempts import FailedAttempts
from gateway.app.auth import Authenticator
from gateway.app.bodies import Bodies
from gateway.app.proxy import DataPlane, RequestIds
from gateway.core.headers import Headers
from gateway.core.tenant import key_text
from tests.builders import tenant

MILLISECONDS = st.integers(min_value=0, max_value=2**48 - 1)


@given(MILLISECONDS)
def test_an_id_is_a_uuid_that_tells_its_time(milliseconds: int) -> None:
    made = uuid.UUID(RequestIds().new(milliseconds * 1_000_000))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == milliseconds


@given(MILLISECONDS, MILLISECONDS)
def test_ids_are_in_the_order_of_time(one: int, other: int) -> None:
    earlier, later = sorted((one, other))
    if earlier != later:
        assert RequestIds().new(earlier * 1_000_000) < RequestIds().new(later * 1_000_000)


def test_no_id_comes_twice() -> None:
    ids = RequestIds()
    assert len({ids.new(0) for _ in range(1000)}) == 1000


class Known:
    """Tenants of whom every key is one."""

    def cached(self, presented: object) -> object:
        return tenant()


def plane(metrics: Metrics) -> DataPlane:
    """A data plane that knows everybody, and has nothing behind its door."""
    return DataPlane(
        authenticator=Authenticator(
            tenants=Known(),  # type: ignore[arg-type]  # a fake
            attempts=FailedAttempts(per_minute_max=20),
        ),
        admission=SimpleNamespace(),  # type: ignore[arg-type]  # never reached
        holding=SimpleNamespace(),  # type: ignore[arg-type]  # never reached
        relay=SimpleNamespace(),  # type: ignore[arg-type]  # never reached
        meter=SimpleNamespace(),  # type: ignore[arg-type]  # never reached
        passage=SimpleNamespace(),  # type: ignore[arg-type]  # never reached
        metrics=metrics,
        bodies=Bodies(bytes_max=1024, total_bytes_max=2048),
    )


def scope(headers: Headers) -> dict[str, Any]:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/v1/responses",
        "raw_path": b"/v1/responses",
        "query_string": b"",
        "headers": headers,
        "state": {},
    }


async def told(headers: Headers, *messages: dict[str, Any]) -> tuple[list[Any], int]:
    """What the data plane sends to a client that sent this, and how many messages it left."""
    waiting = list(messages)
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    await plane(Metrics(version="0", totals=dict))(scope(headers), receive, send)
    return sent, len(waiting)


def key() -> tuple[bytes, bytes]:
    return b"authorization", b"Bearer " + key_text("0" * 12, "0" * 43).encode()


def piece(size: int, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": b"x" * size, "more_body": more}


async def test_who_hangs_up_in_its_own_request_is_told_nothing() -> None:
    sent, left = await told([key()], piece(10), {"type": "http.disconnect"})
    assert (sent, left) == ([], 0)


async def test_a_body_is_read_to_its_limit_and_not_beyond() -> None:
    sent, left = await told([key()], piece(1024), piece(1), piece(1))
    assert (sent[0]["status"], left) == (413, 1)


async def test_an_announced_size_needs_no_reading() -> None:
    sent, left = await told([key(), (b"content-length", b"1025")], piece(1))
    assert (sent[0]["status"], left) == (413, 1)


async def test_without_a_key_nothing_is_read() -> None:
    sent, left = await told([], piece(1))
    assert (sent[0]["status"], left) == (401, 1)
