"""Which headers cross, in each direction. Not here: credentials, added by the upstream adapter."""

import re
from collections.abc import Iterable
from functools import lru_cache

from gateway.core.errors import InvalidRequest, UnsupportedMediaType

Headers = list[tuple[bytes, bytes]]

HOP_BY_HOP = frozenset({
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization",
    b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade",
})  # fmt: skip

# A proxy may pass what it does not know (RFC 9110); one that holds the upstream's key does not.
_TO_UPSTREAM = frozenset({
    b"accept", b"content-type", b"user-agent", b"openai-beta", b"idempotency-key",
    b"x-client-request-id", b"traceparent", b"tracestate",
})  # fmt: skip
_TO_UPSTREAM_PREFIX = b"x-stainless-"
_CLIENT_REQUEST_ID = b"x-client-request-id"
_TRACEPARENT = b"traceparent"
_TRACESTATE = b"tracestate"
# Ids that others read: passed in these forms only, as they are, and once only.
_FORMS = {
    _CLIENT_REQUEST_ID: re.compile(rb"[A-Za-z0-9._-]{1,128}\Z"),
    _TRACEPARENT: re.compile(
        rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
        rb"(?:(?<!^00.{53})-[!-~]*)?\Z"  # versions after the first may add fields
    ),
}

# They speak about the upstream's host, which the client does not talk to.
_NOT_TO_CLIENT = HOP_BY_HOP | {
    b"set-cookie", b"set-cookie2", b"alt-svc", b"strict-transport-security", b"nel", b"report-to",
    b"clear-site-data", b"public-key-pins",
}  # fmt: skip

LENGTH_DIGITS_MAX = 18  # more than any body, and no more than an int reads at once

_OURS = b"x-gateway-"  # by these names only this gateway speaks to its clients
NAMES_CACHED_MAX = 256

# Parameters other than the one charset of JSON would be another reader's choice.
_JSON_TYPE = re.compile(
    rb"[ \t]*[a-z0-9.+-]+/([a-z0-9.-]+\+)?json[ \t]*"
    rb"(;[ \t]*charset=\"?utf-?8\"?[ \t]*)?;?[ \t]*\Z",
    re.IGNORECASE,
)
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+\Z")
_VALUE = re.compile(rb"[^\x00-\x08\x0a-\x1f\x7f]*\Z")


def to_upstream(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The client's headers that the upstream may see, and ours. Names must come in lower case."""
    passed = [
        (name, value)
        for name, value in headers
        if name in _TO_UPSTREAM or name.startswith(_TO_UPSTREAM_PREFIX)
    ]
    if any(name in _FORMS or name == _TRACESTATE for name, _ in passed):
        passed = _well_formed(passed)
    passed.append((b"accept-encoding", b"identity"))
    return passed


def client_request_id(headers: Headers) -> str:
    """The id that the client gave its request; empty where there is none that can be passed on."""
    said = [value for name, value in headers if name == _CLIENT_REQUEST_ID]
    return said[0].decode("ascii") if said and _is_formed(_CLIENT_REQUEST_ID, said) else ""


def to_client(headers: Headers, *, status: int) -> Headers:
    """The upstream's headers that the client may see: in order, repeated ones too.

    Names must come in lower case: a name in any other is dropped.
    What cannot be written is dropped: a server that finds out too late drops the client instead.
    What `Connection` names is dropped too. A 304 loses its content-length, which the server would
    otherwise try to fulfil.
    """
    dropped = _connection_tokens(headers)
    if status == 304:  # noqa: PLR2004 - the status is its own name
        dropped |= {b"content-length"}
    return [
        (name, value)
        for name, value in headers
        if _may_cross(name) and name not in dropped and _VALUE.match(value)
    ]


@lru_cache(NAMES_CACHED_MAX)
def _may_cross(name: bytes) -> bool:
    """Whether a header of this name may reach the client: upstreams always send the same ones."""
    is_withheld = name in _NOT_TO_CLIENT or name.startswith(_OURS)
    return not is_withheld and _NAME.match(name) is not None


def check_media(headers: Headers, *, may_be_form: bool = False) -> None:
    """Raise UnsupportedMediaType for a body that is not JSON as it is sent, in UTF-8, or a form.

    Whoever decodes it otherwise would read another request than the one that was checked.
    """
    types = [value for name, value in headers if name == b"content-type"]
    if len(types) > 1:
        raise InvalidRequest("Send one Content-Type header at most.", code="invalid_headers")
    if types and not _JSON_TYPE.match(types[0]) and not (may_be_form and is_form(headers)):
        raise UnsupportedMediaType("The request body must be 'application/json' in UTF-8.")
    for name, value in headers:
        if name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
            raise UnsupportedMediaType(
                "The request body must be sent without a content encoding.",
                code="unsupported_encoding",
            )


def is_form(headers: Headers) -> bool:
    """Whether a body is a form, as files are sent in."""
    return first(headers, b"content-type").lower().startswith("multipart/form-data;")


def first(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    """The first value of a header as text, or an empty string. Names must come in lower case."""
    for key, value in headers:
        if key == name:
            return value.decode("latin-1")
    return ""


def content_length(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """The body's announced length in bytes; None where there is none that can be read."""
    text = first(headers, b"content-length")
    return int(text) if text.isdecimal() and len(text) <= LENGTH_DIGITS_MAX else None


def _well_formed(headers: Headers) -> Headers:
    """Without the ids that are none, and without the state of a trace that is none."""
    broken = {
        form for form in _FORMS if not _is_formed(form, [v for name, v in headers if name == form])
    }
    if _TRACEPARENT in broken:
        broken.add(_TRACESTATE)
    return [(name, value) for name, value in headers if name not in broken]


def _is_formed(name: bytes, values: list[bytes]) -> bool:
    return len(values) == 1 and _FORMS[name].match(values[0]) is not None


def _connection_tokens(headers: Headers) -> frozenset[bytes]:
    # A peer may name any header here; those that describe the body do not belong to the hop.
    values = [value for name, value in headers if name == b"connection"]
    if not values:
        return frozenset()
    named = {token.strip().lower() for value in values for token in value.split(b",")}
    return frozenset(named - {b"content-type", b"content-length", b"content-encoding"})
