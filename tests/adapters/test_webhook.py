"""What the receiver gets, over real sockets, and what is told where it does not take it."""

import asyncio
import base64
import json
from collections.abc import Callable
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.upstream import transport_for
from gateway.adapters.webhook import Webhook, WebhookUnusable, signature
from gateway.config.secret import CurrentSecret
from gateway.core.alert import to_json
from tests.builders import alert
from tests.fakes.rawserver import RawServer, hang, read_request, reset, send

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
TAKEN = b"HTTP/1.1 204 No Content\r\n\r\n"


def webhook(url: str, **given: Any) -> Webhook:
    fields: dict[str, Any] = {
        "secret": lambda: SECRET,
        "body": to_json,
        "transport": transport_for(kind="fast", connections_max=2),
        "seconds_max": 5,
        **given,
    }
    return Webhook(url=lambda: url, **fields)


def test_the_published_example_has_this_signature() -> None:
    """From the tests of the Standard Webhooks libraries."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    found = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_an_alert_arrives_whole_and_signed() -> None:
    async with RawServer([read_request, send(TAKEN)]) as server:
        hook = webhook(f"{server.url}/alerts?team=a")
        assert await hook.tell(alert()) is None
        await hook.aclose()
    head, body = server.requests[0].split(b"\r\n\r\n", 1)
    line, _, fields = head.partition(b"\r\n")
    headers = message_from_bytes(fields)
    assert line == b"POST /v1/alerts?team=a HTTP/1.1"
    assert (headers["host"], headers["content-type"]) == (
        f"127.0.0.1:{server.port}",
        "application/json",
    )
    assert body == to_json(alert())
    assert headers["webhook-id"] == alert().id == json.loads(body)["data"]["id"]
    at_seconds = int(headers["webhook-timestamp"])
    assert headers["webhook-signature"] == signature(KEY, alert().id, at_seconds, body)


async def test_a_secret_that_changed_signs_from_then_on(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET)
    async with RawServer([read_request, send(TAKEN)]) as server:
        hook = webhook(server.url, secret=CurrentSecret(None, file))
        await hook.tell(alert())
        file.write_text("whsec_" + base64.b64encode(b"another key " * 3).decode())
        await hook.tell(alert())
        file.write_text("no secret at all, as it is")
        refusal = await hook.tell(alert())
    assert "whsec_" in (refusal or "")
    assert "no secret at all" not in (refusal or "")
    assert len(server.requests) == 2
    for request, key in zip(server.requests, (KEY, b"another key " * 3), strict=True):
        head, body = request.split(b"\r\n\r\n", 1)
        headers = message_from_bytes(head.partition(b"\r\n")[2])
        at_seconds = int(headers["webhook-timestamp"])
        assert headers["webhook-signature"] == signature(key, alert().id, at_seconds, body)


async def test_without_a_secret_nothing_is_signed() -> None:
    async with RawServer([read_request, send(TAKEN)]) as server:
        hook = webhook(server.url, secret=str)
        assert await hook.tell(alert()) is None
    assert not hook.is_signed
    assert b"webhook-id: " in server.requests[0]
    assert b"signature" not in server.requests[0]


@pytest.mark.parametrize("status", [200, 201, 299])
async def test_what_is_taken(status: int) -> None:
    answer = b"HTTP/1.1 %d So\r\ncontent-length: 2\r\n\r\nok" % status
    async with RawServer([read_request, send(answer)]) as server:
        assert await webhook(server.url).tell(alert()) is None


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 410, 429, 500, 503])
async def test_any_other_answer_is_a_refusal_and_no_redirect_is_followed(status: int) -> None:
    answer = b"HTTP/1.1 %d No\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n" % status
    async with RawServer([read_request, send(answer)]) as server:
        assert await webhook(server.url).tell(alert()) == f"status {status}"
    assert len(server.requests) == 1


async def test_who_does_not_answer_is_told_in_words_without_the_address() -> None:
    async with RawServer([read_request, hang]) as silent, RawServer([reset]) as broken:
        refusals = await asyncio.gather(
            webhook(silent.url, seconds_max=0.1).tell(alert()),
            webhook(broken.url).tell(alert()),
        )
    assert refusals[0] == "no answer in time"
    assert refusals[1] in ("ReadError", "RemoteProtocolError", "WriteError")
    assert await webhook(broken.url).tell(alert()) == "ConnectError"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://hooks.example/canary", "begin with https"),
        ("ftp://127.0.0.1/canary", "begin with https"),
        ("hooks.example/canary", "have a host"),
        ("https:///canary", "have a host"),
        ("https://canary:word@hooks.example/", "no user name"),
        ("https://hooks.example:canary/", "cannot be read"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_and_not_shown(url: str, said: str) -> None:
    with pytest.raises(WebhookUnusable, match=said) as refused:
        webhook(url)
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["https://hooks.example/T0/B0", "http://localhost:9", "http://[::1]"]
)
def test_https_and_loopback_can_be_used(url: str) -> None:
    assert webhook(url).is_signed


@pytest.mark.parametrize(
    "secret",
    [
        "canary",
        SECRET.removeprefix("whsec_"),
        "whsec_canary!",
        "whsec_Y2FuYXJ5",
        "whsec_canäry",
        f"{SECRET}!",
    ],
)
def test_a_secret_that_others_would_read_otherwise_is_refused(secret: str) -> None:
    given: Callable[[], str] = lambda: secret  # noqa: E731 - a value, asked for at each use
    with pytest.raises(WebhookUnusable, match="openssl") as refused:
        webhook("https://hooks.example", secret=given)
    assert "canary" not in str(refused.value)
