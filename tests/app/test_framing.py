"""What a request's head may say; the whole table is in the journeys, on sockets."""

import pytest

from gateway.app.framing import check_framing, check_target, without_offer
from gateway.core.errors import InvalidRequest

HOST = (b"host", b"gateway")
CHUNKED = (b"transfer-encoding", b"Chunked")
OTHER = (b"transfer-encoding", b"gzip, chunked")


@pytest.mark.parametrize("url", [b"/", b"/v1/responses", b"/v1/responses?a=//b"])
def test_a_plain_path_passes(url: bytes) -> None:
    check_target(url, method=b"POST")


@pytest.mark.parametrize("url", [b"", b"*", b"a:1", b"http://a/v1", b"//a/v1", b"/v1#a", b"v1"])
def test_any_other_target_is_refused(url: bytes) -> None:
    with pytest.raises(InvalidRequest):
        check_target(url, method=b"POST")


@pytest.mark.parametrize(
    ("version", "headers"),
    [("1.1", [HOST]), ("1.1", [HOST, CHUNKED]), ("1.0", [HOST]), ("1.0", [])],
)
def test_one_host_and_one_end_pass(version: str, headers: list[tuple[bytes, bytes]]) -> None:
    check_framing(headers, version=version)


@pytest.mark.parametrize(
    ("version", "headers"),
    [
        ("1.1", []),
        ("1.1", [HOST, HOST]),
        ("1.0", [HOST, HOST]),
        ("1.1", [HOST, CHUNKED, CHUNKED]),
        ("1.1", [HOST, OTHER]),
        ("1.0", [HOST, CHUNKED]),
        ("2.0", [HOST]),
        ("0.9", [HOST]),
    ],
)
def test_what_leaves_it_open_is_refused(version: str, headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(InvalidRequest):
        check_framing(headers, version=version)


def test_a_tunnel_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        check_target(b"/v1/responses", method=b"CONNECT")


@pytest.mark.parametrize(
    ("offered", "left"),
    [(b"upgrade", b""), (b"Upgrade, close", b"close"), (b"keep-alive", b"keep-alive")],
)
def test_an_offer_is_taken_out_and_nothing_else(offered: bytes, left: bytes) -> None:
    headers = [HOST, (b"connection", offered), (b"upgrade", b"h2c")]
    assert without_offer(b"POST", b"/v1", "1.1", headers) == (
        b"POST /v1 HTTP/1.1\r\nhost: gateway\r\nconnection: %b\r\nupgrade: h2c\r\n\r\n" % left
    )
