"""What is passed as it comes, and what is read whole before its body leaves."""

from typing import Any

import httpx
import pytest

from gateway.app import passing
from gateway.app.passing import Aftercare, Passed
from gateway.core.endpoints import find
from gateway.core.errors import LedgerUnavailable, UpstreamUnavailable
from tests.app.test_passage import Scene
from tests.builders import tenant


class Care:
    """Reads answers, and turns them round."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.read: list[tuple[str, bytes]] = []
        self._failure = failure

    async def act(self, passed: Passed, body: bytes) -> bytes:
        self.read.append((passed.request_id, body))
        if self._failure is not None:
            raise self._failure
        return body[::-1]


@pytest.mark.parametrize("is_rewriting", [True, False])
async def test_an_answer_is_read_whole_before_its_body_leaves(*, is_rewriting: bool) -> None:
    care = Care()
    scene = Scene(b"12", b"34", care=Aftercare(act=care.act, is_rewriting=is_rewriting))
    starts: list[Any] = []

    async def send(message: Any) -> None:
        starts.append(message)

    scene.client.send = send  # type: ignore[method-assign]  # this test looks at the head
    await scene.carry("POST", "/v1/conversations")
    assert care.read == [("1", b"1234")]
    assert [one.get("body") for one in starts] == [None, b"4321", b""]
    named = {name for name, _ in starts[0]["headers"]}
    assert (b"content-length" in named, b"etag" in named) == (not is_rewriting,) * 2


async def test_what_is_encoded_is_not_shown_where_a_part_of_it_may_have_to_be_left_out() -> None:
    for is_rewriting in (True, False):
        care = Aftercare(act=Care().act, is_rewriting=is_rewriting)
        scene = Scene(b"12", care=care, headers={"content-encoding": "gzip"})
        if is_rewriting:
            with pytest.raises(UpstreamUnavailable, match="encoded"):
                await scene.carry("POST", "/v1/conversations")
            assert scene.client.notes == []
        else:
            assert await scene.carry("POST", "/v1/conversations") == 200


async def test_an_error_of_the_upstream_needs_no_care() -> None:
    care = Care()
    scene = Scene(b"no", status=404, care=Aftercare(act=care.act, is_rewriting=True))
    assert await scene.carry("DELETE", "/v1/responses/resp_1") == 404
    assert (care.read, scene.client.notes[1]) == ([], (b"no", True))


async def test_what_could_not_be_read_never_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passing, "CARED_BYTES_MAX", 3)
    for pieces, failure in (
        ([b"12", httpx.ReadError("reset")], None),
        ([b"12", b"34"], None),
        ([b"12"], LedgerUnavailable()),
    ):
        scene = Scene(*pieces, care=Aftercare(act=Care(failure).act))
        await scene.carry("POST", "/v1/conversations")
        assert [note for note in scene.client.notes if note != (b"", True)] == [200, "aborted"]


@pytest.mark.parametrize(
    ("query", "is_stream"),
    [("?stream=true", True), ("?a=1&stream=true", True), ("?stream=1", False)],
)
def test_who_asks_for_a_stream_is_known(query: str, *, is_stream: bool) -> None:
    match = find("GET", b"/v1/responses/resp_1")
    path = match.path + query
    passed = Passed(request_id="1", match=match, tenant=tenant(), path=path, headers=[], body=b"")
    assert passed.is_stream == is_stream
