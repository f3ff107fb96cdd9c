"""The head of a small whole answer tells its cost; nothing else waits for it."""

from typing import Any

import pytest

from gateway.app.costed import BODY_BYTES_MAX, COST, Costed

JSON = (b"content-type", b"application/json")


class Bill:
    """What a test says of the cost."""

    def __init__(self) -> None:
        self.is_settled = False
        self.cost_pusd: int | None = None

    def settle(self, cost_pusd: int | None = 360_000_000) -> None:
        self.is_settled, self.cost_pusd = True, cost_pusd


class Scene:
    """`begins`: whether the connection writes a head and a body in one go."""

    def __init__(self, *, begins: bool = False) -> None:
        self.bill = Bill()
        self.sent: list[Any] = []
        self.begun: list[Any] = []
        self._begins = begins
        connection: Any = self
        self.costed = Costed(self._send, connection, self.bill)

    def begin(self, status: int, headers: Any, piece: bytes) -> bool:
        if self._begins:
            self.begun.append((status, headers, piece))
        return self._begins

    async def _send(self, message: Any) -> None:
        self.sent.append(message)

    async def start(self, *headers: tuple[bytes, bytes], status: int = 200) -> None:
        message = {"type": "http.response.start", "status": status, "headers": [*headers]}
        await self.costed(message)

    async def body(self, data: bytes, *, more: bool = True) -> None:
        await self.costed({"type": "http.response.body", "body": data, "more_body": more})

    @property
    def cost(self) -> bytes | None:
        return dict(self.sent[0]["headers"]).get(COST)

    @property
    def data(self) -> bytes:
        return b"".join(message["body"] for message in self.sent[1:])


async def test_a_small_whole_answer_leaves_when_it_is_settled_with_its_cost() -> None:
    scene = Scene()
    await scene.start(JSON)
    await scene.body(b"ab")
    assert scene.sent == []
    scene.bill.settle()
    await scene.body(b"c")
    assert (scene.cost, scene.data) == (b"0.000360000000", b"abc")
    await scene.body(b"", more=False)
    assert [message["more_body"] for message in scene.sent[1:]] == [True, False]
    assert len(scene.sent[0]["headers"]) == 2


async def test_its_head_and_what_is_there_of_it_leave_in_one_go_where_they_can() -> None:
    scene = Scene(begins=True)
    await scene.start(JSON)
    scene.bill.settle()
    await scene.body(b"abc")
    assert scene.begun == [(200, [JSON, (COST, b"0.000360000000")], b"abc")]
    await scene.body(b"", more=False)
    assert scene.sent == [{"type": "http.response.body", "body": b"", "more_body": False}]


@pytest.mark.parametrize(
    "headers",
    [
        [(b"content-type", b"text/event-stream; charset=utf-8")],
        [JSON, (b"content-length", b"%d" % (BODY_BYTES_MAX + 1))],
    ],
)
async def test_streams_and_large_bodies_leave_as_they_come(headers: Any) -> None:
    scene = Scene()
    await scene.start(*headers)
    await scene.body(b"a")
    assert (scene.cost, scene.data) == (None, b"a")


@pytest.mark.parametrize("headers", [[JSON], [JSON, (b"content-length", b"%d" % BODY_BYTES_MAX)]])
async def test_no_more_than_the_limit_is_kept(headers: Any) -> None:
    scene = Scene()
    await scene.start(*headers)
    await scene.body(b"x" * BODY_BYTES_MAX)
    assert scene.sent == []
    await scene.body(b"y")
    assert (scene.cost, len(scene.data)) == (None, BODY_BYTES_MAX + 1)
    await scene.body(b"z")
    assert scene.data.endswith(b"yz")


async def test_a_cost_that_is_not_known_is_not_told() -> None:
    scene = Scene()
    await scene.start(JSON)
    scene.bill.settle(None)
    await scene.body(b"a", more=False)
    assert (scene.cost, scene.data) == (None, b"a")


async def test_an_answer_that_nobody_settles_leaves_at_its_end() -> None:
    scene = Scene()
    await scene.start(JSON, status=204)
    await scene.body(b"", more=False)
    assert (scene.cost, [message["type"] for message in scene.sent]) == (
        None,
        ["http.response.start", "http.response.body"],
    )
