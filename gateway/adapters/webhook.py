"""The receiver of alerts: one POST each, signed by the rules of Standard Webhooks.

A transport is called directly, never httpx's client: no redirect is followed, no environment is
read, and the address, which may be a credential, is in no log. Not here: what is written in the
body (`core.alert`), or when it is sent again (`alerts`).
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable

import httpx

from gateway.core.address import is_loopback
from gateway.core.alert import Alert

SECRET_PREFIX = "whsec_"  # noqa: S105 - what a secret begins with is none
SECRET_BYTES_MIN = 24


class WebhookUnusable(ValueError):
    """The address or the secret cannot be used; the message says which and why, never its value."""


class Webhook:
    """Address and secret are asked for at each use: they may change meanwhile."""

    def __init__(
        self,
        *,
        url: Callable[[], str],
        secret: Callable[[], str],
        body: Callable[[Alert], bytes],
        transport: httpx.AsyncBaseTransport,
        seconds_max: float,
    ) -> None:
        """Raises WebhookUnusable."""
        self._url = url
        self._secret = secret
        self._body = body
        self._transport = transport
        self._seconds_max = seconds_max
        self.host = _address(url()).host
        self.is_signed = _key(secret()) is not None

    async def tell(self, alert: Alert) -> str | None:
        """None when it has arrived; else why not, in words that may be logged."""
        try:
            async with asyncio.timeout(self._seconds_max):
                status = await self._post(alert)
        except TimeoutError:
            return "no answer in time"
        except httpx.HTTPError as error:
            return type(error).__name__  # its text may name the address
        except WebhookUnusable as unusable:
            return str(unusable)
        return None if httpx.codes.is_success(status) else f"status {status}"

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def _post(self, alert: Alert) -> int:
        body, at_seconds = self._body(alert), int(time.time())
        headers = {
            "connection": "close",  # its answer's body is not read
            "content-type": "application/json",
            "user-agent": "responses-gateway",
            "webhook-id": alert.id,
            "webhook-timestamp": str(at_seconds),
        }
        if (key := _key(self._secret())) is not None:
            headers["webhook-signature"] = signature(key, alert.id, at_seconds, body)
        address = _address(self._url())
        request = httpx.Request("POST", address, headers=headers, content=body)
        response = await self._transport.handle_async_request(request)
        await response.aclose()
        return response.status_code


def signature(key: bytes, alert_id: str, at_seconds: int, body: bytes) -> str:
    """What `webhook-signature` holds."""
    signed = b"%b.%d.%b" % (alert_id.encode(), at_seconds, body)
    digest = hmac.digest(key, signed, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def _address(url: str) -> httpx.URL:
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL:
        raise WebhookUnusable("the webhook's address cannot be read") from None
    if address.userinfo or not address.host:
        raise WebhookUnusable("the webhook's address must have a host, and no user name")
    if address.scheme != "https" and not (address.scheme == "http" and is_loopback(address.host)):
        raise WebhookUnusable("the webhook's address must begin with https://")
    return address


def _key(secret: str) -> bytes | None:
    if not secret:
        return None
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(SECRET_PREFIX) or len(key) < SECRET_BYTES_MIN:
        raise WebhookUnusable(
            f"the webhook's secret must be {SECRET_PREFIX} and at least {SECRET_BYTES_MIN} bytes "
            'in base64: make one with `echo "whsec_$(openssl rand -base64 32)"`'
        )
    return key
