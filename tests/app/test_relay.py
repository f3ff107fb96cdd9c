"""In which order an exchange is told, settled and let go, whatever fails beside it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import httpx
import pytest

from gateway.adapters.metrics import Metrics
from gateway.adapters.upstream import Timeouts, Upstream
from gateway.app.drain import DrainLimits
from gateway.app.metered import Meter, Metered
from gateway.app.relay import GATEWAY_STOPPED, Dispatch, Relay
from gateway.core.errors import LedgerUnavailable, UpstreamUnavailable
from gateway.core.exchange import BACKGROUND_TAG, SOONEST, Exchange, Hold
from gateway.core.life import Life
from tests.builders import hold
from tests.fakes.told import AFTER, BEFORE, BOOK, RESPONSE, TERMINAL

STREAM_TYPE = {"content-type": "text/event-stream"}
END = b""


class Pieces(httpx.AsyncByteStream):
    """A body in pieces; an exception among them is raised."""

    def __init__(self, pieces: list[bytes | Exception]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece


def given(answer: httpx.Response, _: httpx.Request) -> httpx.Response:
    return answer


class FakeLedger:
    """Notes what it is asked, among what the client was sent."""

    def __init__(self, notes: list[Any], failure: Exception | None = None) -> None:
        self._notes = notes
        self._failure = failure

    def now_us(self) -> int:
        return 7

    def opened(self, request_id: str, response_id: str) -> None:
        self._notes.append(("opened", response_id))

    async def named(self, request_id: str, response_id: str) -> None:
        await asyncio.sleep(0)
        self._notes.append(("named", response_id))

    async def settle(self, exchange: Exchange) -> bool:
        await asyncio.sleep(0)
        if self._failure is not None:
            raise self._failure
        self._notes.append(("settled", exchange.outcome.value))
        return True


class Client:
    """The server's side of one client's connection, and a note of all that happens."""

    def __init__(self) -> None:
        self.notes: list[Any] = []
        self.is_gone = False

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.notes.append(message["status"])
        else:
            self.notes.append((message["body"], message["more_body"]))

    def when_gone(self, tell: Callable[[], None] | None) -> None:
        pass

    def write(self, piece: bytes) -> bool:
        self.notes += [] if self.is_gone else [(piece, True)]
        return not self.is_gone  # else a look has to be taken

    def abort(self) -> None:
        self.notes.append("aborted")


class Scene:
    """A relay between an upstream that sends `pieces` and a client; `exchanges` were told."""

    def __init__(
        self,
        *pieces: bytes | Exception,
        failure: Exception | None = None,
        sinks: tuple[Callable[[Exchange], None], ...] = (),
        answer: Callable[[httpx.Request], httpx.Response] | None = None,
        is_taken_on: bool = False,
        tags: dict[str, str] | None = None,
    ) -> None:
        self.client = Client()
        self.exchanges: list[Exchange] = []
        self.taken: list[Exchange] = []
        self._is_taken_on = is_taken_on
        self.hold: Hold = hold(tags=tags or {})
        played = answer or (
            lambda _: httpx.Response(200, headers=STREAM_TYPE, stream=Pieces([*pieces]))
        )
        metrics = Metrics(version="0", totals=dict)
        self.meter = Meter(
            ledger=FakeLedger(self.client.notes, failure),  # type: ignore[arg-type]  # a fake
            begin=lambda held, started: Life(hold=held, book=BOOK, started=started),
            metrics=metrics,
            sinks=(*sinks, self.exchanges.append),
            take_on=self._take_on,
        )
        self.relay = Relay(
            upstream=Upstream(
                base_url="http://upstream.test/v1",
                credential=lambda: "sk-upstream",
                transport=httpx.MockTransport(played),
                timeouts=Timeouts(),
            ),
            metrics=metrics,
            drain=DrainLimits(),
        )

    def _take_on(self, exchange: Exchange) -> bool:
        if self._is_taken_on:
            self.taken.append(exchange)
        return self._is_taken_on

    async def carry(self) -> int:
        dispatch = Dispatch(method="POST", path="/responses", headers=[], body=b"{}")
        course = Metered(self.meter, self.hold, 0.0)
        connection: Any = self.client
        return await self.relay.carry(dispatch, course, self.client.send, connection)


async def test_the_end_leaves_when_the_cost_is_on_disk() -> None:
    scene = Scene(BEFORE + TERMINAL[:30], TERMINAL[30:] + AFTER)
    assert await scene.carry() == 200
    assert scene.client.notes == [
        200,
        ("opened", "resp_1"),
        (BEFORE + TERMINAL[:30], True),
        ("settled", "completed"),
        (TERMINAL[30:] + AFTER, True),
        (END, False),
    ]


async def test_a_reader_that_fails_costs_nobody_anything(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(_: Exchange) -> None:
        raise RuntimeError("no disk for logs")

    scene = Scene(BEFORE, TERMINAL, sinks=(fail,))
    await scene.carry()
    assert scene.client.notes[-1] == (END, False)
    assert [exchange.hold for exchange in scene.exchanges] == [scene.hold]
    assert "no disk for logs" in caplog.text


async def test_what_could_not_be_posted_is_never_completed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene = Scene(BEFORE, TERMINAL, failure=LedgerUnavailable())
    assert await scene.carry() == 200
    assert scene.client.notes == [200, ("opened", "resp_1"), (BEFORE, True), "aborted"]
    assert scene.exchanges == []
    assert scene.hold.request_id in caplog.text


async def test_a_break_is_settled_and_then_shown() -> None:
    scene = Scene(BEFORE, httpx.ReadError("reset"))
    await scene.carry()
    assert scene.client.notes[-3:] == [("settled", "aborted"), (b"", True), "aborted"]
    assert [exchange.reason for exchange in scene.exchanges] == ["upstream_reset"]


async def test_what_broke_off_is_left_to_who_asks_the_upstream() -> None:
    scene = Scene(BEFORE, httpx.ReadError("reset"), is_taken_on=True)
    await scene.carry()
    assert scene.client.notes[:3] == [200, ("opened", "resp_1"), (BEFORE, True)]
    assert scene.client.notes[3:] == [(b"", True), "aborted"]
    assert scene.exchanges == []
    (taken,) = scene.taken
    assert (taken.response_id, taken.reason, taken.http_status) == ("resp_1", "upstream_reset", 200)


async def test_a_name_that_comes_last_is_noted_all_the_same() -> None:
    unfinished = json.dumps({**RESPONSE, "status": "in_progress", "usage": None}).encode()
    kind = {"content-type": "application/json"}
    scene = Scene(
        answer=lambda _: httpx.Response(200, headers=kind, stream=Pieces([unfinished])),
        is_taken_on=True,
    )
    await scene.carry()
    assert scene.client.notes == [200, ("opened", "resp_1"), (unfinished, True), (END, False)]


async def test_a_name_in_the_background_is_durable_before_anybody_reads_it() -> None:
    behind = {BACKGROUND_TAG: SOONEST}
    scene = Scene(BEFORE, TERMINAL, tags=behind)
    await scene.carry()
    end = [("settled", "completed"), (TERMINAL, True), (END, False)]
    assert scene.client.notes == [200, ("named", "resp_1"), (BEFORE, True), *end]

    queued = json.dumps({**RESPONSE, "status": "queued", "usage": None}).encode()
    kind = {"content-type": "application/json"}
    for head in (kind, {**kind, "content-length": str(len(queued))}):
        answered = httpx.Response(200, headers=head, stream=Pieces([queued]))
        scene = Scene(answer=partial(given, answered), is_taken_on=True, tags=behind)
        await scene.carry()
        assert scene.client.notes == [200, ("named", "resp_1"), (queued, True), (END, False)]
        assert [one.hold for one in scene.taken] == [scene.hold]


@pytest.mark.parametrize("pieces", [[BEFORE, TERMINAL], [httpx.ReadError("reset")]])
async def test_what_is_known_or_has_no_name_is_settled_at_once(
    pieces: list[bytes | Exception],
) -> None:
    scene = Scene(*pieces, is_taken_on=True)
    await scene.carry()
    assert (len(scene.exchanges), scene.taken) == (1, [])


async def test_an_upstream_that_is_not_there_is_settled_and_then_told() -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    scene = Scene(answer=refuse)
    with pytest.raises(UpstreamUnavailable):
        await scene.carry()
    assert scene.client.notes == [("settled", "failed")]
    assert [exchange.cost_pusd for exchange in scene.exchanges] == [0]


async def test_who_is_cancelled_settles_before_it_goes() -> None:
    reached = asyncio.Event()

    class Endless(Pieces):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield BEFORE
            reached.set()
            await asyncio.Event().wait()

    scene = Scene(answer=lambda _: httpx.Response(200, headers=STREAM_TYPE, stream=Endless([])))
    carrying = asyncio.ensure_future(scene.carry())
    await reached.wait()
    carrying.cancel()
    await scene.relay.aclose()
    assert await carrying == GATEWAY_STOPPED
    assert scene.client.notes[-2:] == [("settled", "aborted"), "aborted"]
    assert [exchange.reason for exchange in scene.exchanges] == ["gateway_stopped"]


async def test_nothing_follows_what_a_cancelled_one_could_not_send() -> None:
    """A client that does not read when the gateway stops: no end may come behind a hole."""
    scene = Scene(BEFORE + TERMINAL)
    client, stalled = scene.client, asyncio.Event()
    send = client.send

    async def stall(message: Any) -> None:
        if BEFORE in message.get("body", b"") and not stalled.is_set():
            stalled.set()
            await asyncio.Event().wait()
        if "aborted" not in client.notes:  # as the server drops what comes then
            await send(message)

    client.send = stall  # type: ignore[method-assign]  # it takes no more for now
    client.write = lambda piece: False  # type: ignore[method-assign]
    carrying = asyncio.ensure_future(scene.carry())
    await stalled.wait()
    carrying.cancel()
    assert await carrying == GATEWAY_STOPPED
    assert [note for note in client.notes if isinstance(note, tuple) and note[0] == TERMINAL] == []
    assert len(scene.exchanges) == 1


async def test_headers_of_ours_are_added() -> None:
    starts = []
    scene = Scene(TERMINAL)

    async def note(message: Any) -> None:
        starts.append(message)

    scene.client.send = note  # type: ignore[method-assign]  # this test looks at the head
    await scene.carry()
    assert (b"x-gateway-request-id", scene.hold.request_id.encode()) in starts[0]["headers"]


async def test_a_closed_relay_waits_for_nothing() -> None:
    await Scene(TERMINAL).relay.aclose()
