"""What is passed without a hold: who is asked first, what is read on, and what is done after."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from types import MappingProxyType, SimpleNamespace
from typing import Any

import httpx
import pytest

from gateway.adapters.metrics import Metrics
from gateway.adapters.upstream import Timeouts, Upstream
from gateway.app.drain import DrainLimits
from gateway.app.passage import Passage
from gateway.app.passing import Aftercare, Passed
from gateway.app.relay import CLIENT_GONE, Relay
from gateway.core.endpoints import Match, find
from gateway.core.errors import InvalidRequest, NotFound
from gateway.core.exchange import Exchange
from gateway.core.policy import Policy
from gateway.core.strict import Json
from gateway.core.tenant import Tenant
from tests.app.test_relay import END, Client, Pieces
from tests.builders import exchange, tenant

JSON = {"content-type": "application/json", "content-length": "8", "etag": "1"}


class Slowly(Pieces):
    """A body between whose pieces others have their turn."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in super().__aiter__():
            yield piece
            await asyncio.sleep(0.01)


class Scene:
    """A passage between an upstream that answers `pieces` and a client that may have left."""

    def __init__(
        self,
        *pieces: bytes | Exception,
        status: int = 200,
        care: Aftercare | None = None,
        owns: Callable[[Mapping[str, Json]], bool] = lambda _: True,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.client = Client()
        self.sent: list[tuple[str, str, bytes]] = []
        self.counted: list[str] = []
        self.is_owed: Exchange | None = None
        self.is_bound = False
        self.asked: list[tuple[Exchange, int]] = []
        self._owns = owns
        self._answer = httpx.Response(status, headers={**JSON, **headers}, stream=Slowly([*pieces]))
        relay = Relay(
            upstream=Upstream(
                base_url="http://upstream.test/v1",
                credential=lambda: "sk-upstream",
                transport=httpx.MockTransport(self._play),
                timeouts=Timeouts(),
            ),
            metrics=Metrics(version="0", totals=dict),
            drain=DrainLimits(),
        )
        names = ("responses.retrieve", "responses.delete", "conversations.create")
        self.passage = Passage(
            relay=relay,
            policies=self,
            minutes=self,
            desk=self,  # type: ignore[arg-type]  # a fake
            ownership=self,
            budgets=self,
            aftercare={} if care is None else dict.fromkeys(names, care),
        )

    def _play(self, request: httpx.Request) -> httpx.Response:
        self.sent.append((request.method, str(request.url.raw_path, "ascii"), request.content))
        return self._answer

    async def find(self, _: Tenant) -> Any:
        return SimpleNamespace(policy=Policy(), counted=())

    async def bind(self, owner: Tenant) -> bool:
        return self.is_bound

    async def admit(self, _: object, *, key_id: str) -> None:
        self.counted.append(key_id)

    async def check(self, match: Match, fields: Mapping[str, Json], owner: Tenant) -> None:
        assert owner == tenant()
        if not self._owns({**match.ids, **fields}):
            raise NotFound("There is no such response.")

    async def owed(self, _: str) -> Exchange | None:
        return self.is_owed

    async def ask(self, owed: Exchange) -> None:
        self.asked.append((owed, len(self.sent)))

    async def carry(
        self, method: str, path: str, query: str = "", body: bytes = b"", kind: bytes = b""
    ) -> int:
        match = find(method, path.encode())
        passed = Passed(
            request_id="1",
            match=match,
            tenant=tenant(),
            path=match.path + query,
            headers=[(b"content-type", kind)] if kind else [],
            body=body,
        )
        connection: Any = self.client
        return await self.passage.carry(passed, self.client.send, connection)


async def test_it_passes_as_it_comes() -> None:
    scene = Scene(b'{"id"', b":1}")
    assert await scene.carry("GET", "/v1/responses/resp_1", "?include=a&include=b") == 200
    assert scene.sent == [("GET", "/v1/responses/resp_1?include=a&include=b", b"")]
    assert scene.client.notes == [200, (b'{"id"', True), (b":1}", True), (END, False)]
    assert scene.counted == [tenant().key_id]


async def test_what_is_owed_for_a_response_is_asked_for_before_it_is_deleted() -> None:
    scene = Scene(b"{}")
    scene.is_owed = owed = exchange()
    assert await scene.carry("DELETE", "/v1/responses/resp_1") == 200
    assert scene.asked == [(owed, 0)]


async def test_what_broke_off_is_seen_to() -> None:
    scene = Scene(b'{"id"', httpx.ReadError("reset"))
    await scene.carry("GET", "/v1/responses/resp_1")
    assert scene.client.notes == [200, (b'{"id"', True), (b"", True), "aborted"]


async def test_what_is_anothers_is_never_sent() -> None:
    def owns(named: Mapping[str, Json]) -> bool:
        return named == {"conversation_id": "conv_1", "items": []}

    scene = Scene(b"{}", owns=owns)
    path = "/v1/conversations/conv_1/items"
    assert await scene.carry("POST", path, body=b'{"items":[]}') == 200
    with pytest.raises(NotFound):
        await scene.carry("POST", path, body=b'{"items":["x"]}')
    assert len(scene.sent) == 1


async def test_a_form_that_names_an_id_is_never_sent() -> None:
    scene = Scene(b"{}")
    named = b'--b\r\nContent-Disposition: form-data; name="file_id"\r\n\r\nfile_1\r\n--b--\r\n'
    kind = b"multipart/form-data; boundary=b"
    with pytest.raises(InvalidRequest, match="send it as JSON"):
        await scene.carry("POST", "/v1/conversations", body=named, kind=kind)
    assert scene.sent == []
    form = named.replace(b"file_id", b"purpose")
    assert await scene.carry("POST", "/v1/conversations", body=form, kind=kind) == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/responses/resp_1", b"{}"),
        ("DELETE", "/v1/responses/resp_1", b"x"),
        ("POST", "/v1/conversations", b"[]"),
        ("POST", "/v1/conversations", b'{"a":1,"a":2}'),
    ],
)
async def test_a_body_that_could_be_read_in_two_ways_is_refused(
    method: str, path: str, body: bytes
) -> None:
    scene = Scene(b"{}")
    with pytest.raises(InvalidRequest):
        await scene.carry(method, path, body=body)
    assert scene.sent == []


@pytest.mark.parametrize(
    ("method", "status", "ending"),
    [("GET", CLIENT_GONE, "aborted"), ("DELETE", 200, (END, False))],
)
async def test_for_who_left_only_what_does_something_is_read_on(
    method: str, status: int, ending: object
) -> None:
    scene = Scene(b"{}", b"{}")
    scene.client.is_gone = True
    assert await scene.carry(method, "/v1/responses/resp_1") == status
    assert scene.client.notes[-1] == ending
