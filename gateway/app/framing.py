"""What a request's head may say of its target, its host and where its body ends.

The parser lets some of it through although another reader, before us or behind us, could see
another request in it, or two. Not here: when a head is checked, and how a refusal is answered.
"""

from gateway.core.errors import InvalidRequest

# By version: another than these is none that we speak, whatever the parser takes.
CODINGS: dict[str, list[list[bytes]]] = {"1.0": [[]], "1.1": [[], [b"chunked"]]}


def check_target(url: bytes, *, method: bytes) -> None:
    """Refuse what is no plain path: a proxy before us may have read another host or path in it."""
    if method == b"CONNECT" or not url.startswith(b"/") or url.startswith(b"//") or b"#" in url:
        raise malformed()


def check_framing(headers: list[tuple[bytes, bytes]], *, version: str) -> None:
    """Refuse what leaves open where the body ends, or which host was meant."""
    names = [name for name, _ in headers]
    codings = [value.lower() for name, value in headers if name == b"transfer-encoding"]
    is_host_told = names.count(b"host") == 1 or (version == "1.0" and b"host" not in names)
    if not is_host_told or codings not in CODINGS.get(version, ()):
        raise malformed()


def malformed() -> InvalidRequest:
    """For all that is no request; more is not said, since no client of good will asks."""
    return InvalidRequest("The request is not valid HTTP/1.1.", code="invalid_http")


def without_offer(
    method: bytes, url: bytes, version: str, headers: list[tuple[bytes, bytes]]
) -> bytes:
    """A head as it was received, but for the upgrade that its `Connection` offers."""
    lines = [
        b"%b: %b" % (name, _declined(value) if name == b"connection" else value)
        for name, value in headers
    ]
    first = b"%b %b HTTP/%b" % (method, url, version.encode("ascii"))
    return b"\r\n".join([first, *lines, b"", b""])


def _declined(connection: bytes) -> bytes:
    tokens = [token.strip() for token in connection.split(b",")]
    return b", ".join(token for token in tokens if token.lower() != b"upgrade")
