"""Headers cross by lists, in both directions, and only where they can be written."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import InvalidRequest, UnsupportedMediaType
from gateway.core.headers import (
    HOP_BY_HOP,
    check_media,
    client_request_id,
    content_length,
    first,
    to_client,
    to_upstream,
)

TRACE = b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"
NAMES = st.binary(min_size=0, max_size=12)
VALUES = st.binary(max_size=12)
# The two expressions by which uvicorn refuses a header after the head has been begun.
REFUSED_NAME = re.compile(rb'[\x00-\x1f\x7f()<>@,;:\[\]={} \t\\"]')
REFUSED_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


def test_the_upstream_sees_only_what_is_listed() -> None:
    sent = [
        (b"accept", b"text/event-stream"),
        (b"authorization", b"Bearer gw_secret"),
        (b"cookie", b"a=b"),
        (b"content-type", b"application/json"),
        (b"host", b"gateway"),
        (b"openai-beta", b"x"),
        (b"openai-organization", b"org"),
        (b"openai-project", b"proj"),
        (b"accept-encoding", b"br"),
        (b"x-stainless-lang", b"python"),
        (b"x-forwarded-for", b"10.0.0.1"),
        (b"traceparent", TRACE),
        (b"tracestate", b"a=1"),
    ]
    assert to_upstream(sent) == [
        (b"accept", b"text/event-stream"),
        (b"content-type", b"application/json"),
        (b"openai-beta", b"x"),
        (b"x-stainless-lang", b"python"),
        (b"traceparent", TRACE),
        (b"tracestate", b"a=1"),
        (b"accept-encoding", b"identity"),
    ]


@pytest.mark.parametrize("value", [b"a", b"A-z_0.9", b"x" * 128])
def test_a_request_s_id_passes_as_it_is(value: bytes) -> None:
    sent = [(b"x-client-request-id", value)]
    assert to_upstream(sent)[:-1] == sent
    assert client_request_id(sent) == value.decode()


@pytest.mark.parametrize("value", [b"", b"x" * 129, b"a b", b"a\n", "é".encode(), b"a;b", b'"a"'])
def test_what_is_no_id_of_a_request_goes_nowhere(value: bytes) -> None:
    sent = [(b"x-client-request-id", value)]
    assert to_upstream(sent)[:-1] == []
    assert client_request_id(sent) == ""


def test_two_ids_are_none() -> None:
    twice = [(b"x-client-request-id", b"a"), (b"x-client-request-id", b"a")]
    assert (to_upstream(twice)[:-1], client_request_id(twice)) == ([], "")
    assert client_request_id([]) == ""
    assert to_upstream([(b"traceparent", TRACE)] * 2)[:-1] == []


@pytest.mark.parametrize("value", [TRACE, b"01" + TRACE[2:], b"cc" + TRACE[2:] + b"-more"])
def test_a_trace_s_parent_passes_with_its_state(value: bytes) -> None:
    sent = [(b"traceparent", value), (b"tracestate", b"a=1"), (b"tracestate", b"b=2")]
    assert to_upstream(sent)[:-1] == sent


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"00-1-2-01",
        TRACE.upper(),
        b"ff" + TRACE[2:],
        TRACE + b"-more",
        TRACE + b" ",
        TRACE[:-3],
        TRACE.replace(b"a", b"0"),
        TRACE.replace(b"b", b"0"),
        b"01" + TRACE[2:] + b"more",
    ],
)
def test_what_is_no_trace_s_parent_is_dropped_with_its_state(value: bytes) -> None:
    sent = [(b"accept", b"a"), (b"traceparent", value), (b"tracestate", b"a=1")]
    assert to_upstream(sent)[:-1] == [(b"accept", b"a")]
    assert to_upstream([(b"tracestate", b"a=1")])[:-1] == []


@given(st.lists(st.tuples(st.sampled_from(sorted(HOP_BY_HOP)), VALUES)))
def test_no_hop_by_hop_header_goes_upstream(headers: list[tuple[bytes, bytes]]) -> None:
    assert to_upstream(headers) == [(b"accept-encoding", b"identity")]


def test_the_client_sees_the_rest_in_order_and_repeated() -> None:
    received = [
        (b"content-type", b"text/event-stream"),
        (b"set-cookie", b"__cf_bm=1"),
        (b"x-request-id", b"req_1"),
        (b"transfer-encoding", b"chunked"),
        (b"strict-transport-security", b"max-age=1"),
        (b"alt-svc", b"h3"),
        (b"nel", b"{}"),
        (b"report-to", b"{}"),
        (b"vary", b"a"),
        (b"vary", b"b"),
    ]
    assert to_client(received, status=200) == [
        (b"content-type", b"text/event-stream"),
        (b"x-request-id", b"req_1"),
        (b"vary", b"a"),
        (b"vary", b"b"),
    ]


def test_a_name_that_was_not_lowered_is_dropped_not_judged() -> None:
    assert to_client([(b"Set-Cookie", b"a=1"), (b"X-A", b"1"), (b"x-b", b"2")], status=200) == [
        (b"x-b", b"2")
    ]


def test_no_upstream_speaks_in_our_name() -> None:
    assert to_client([(b"x-gateway-request-id", b"theirs"), (b"x-b", b"2")], status=200) == [
        (b"x-b", b"2")
    ]


@pytest.mark.parametrize(
    ("value", "length"),
    [(b"0", 0), (b"12", 12), (b"", None), (b"-1", None), (b"+1", None), (b"9" * 5000, None)],
)
def test_a_length_is_a_number_or_not_there(value: bytes, length: int | None) -> None:
    assert content_length([(b"a", b"7"), (b"content-length", value)]) == length


def test_what_connection_names_stays_on_its_hop() -> None:
    received = [
        (b"connection", b"close, X-Hop"),
        (b"connection", b"x-two"),
        (b"x-hop", b"1"),
        (b"x-two", b"2"),
        (b"x-three", b"3"),
    ]
    assert to_client(received, status=200) == [(b"x-three", b"3")]


def test_connection_cannot_take_what_describes_the_body() -> None:
    body = [
        (b"content-type", b"application/json"),
        (b"content-length", b"2"),
        (b"content-encoding", b"gzip"),
    ]
    naming = (b"connection", b"content-type, content-length, content-encoding")
    assert to_client([naming, *body], status=200) == body


def test_a_304_has_no_length_to_fulfil() -> None:
    received = [(b"content-length", b"5"), (b"etag", b"x")]
    assert to_client(received, status=304) == [(b"etag", b"x")]
    assert to_client(received, status=200) == received


@given(st.lists(st.tuples(NAMES, VALUES)), st.sampled_from([200, 304, 400]))
def test_what_reaches_the_client_can_be_written(
    headers: list[tuple[bytes, bytes]], status: int
) -> None:
    for name, value in to_client(headers, status=status):
        assert name
        assert not REFUSED_NAME.search(name)
        assert not REFUSED_VALUE.search(value)


def crosses(name: bytes, value: bytes) -> bool:
    return to_client([(name, value)], status=200) == [(name, value)]


def test_sound_is_a_token_and_a_value_on_one_line() -> None:
    assert crosses(b"x-a", b"text\tand \xff")
    assert not crosses(b"", b"v")
    assert not crosses(b"x a", b"v")
    assert not crosses(b"x-a\n", b"v")
    assert not crosses(b"x-a", b"v\r\nx-b: c")
    assert not crosses(b"x-a", b"v\n")
    assert not crosses(b"x-a", b"\x00")


@pytest.mark.parametrize(
    "value",
    [
        b"application/json",
        b"Application/JSON",
        b" application/json ",
        b"application/json;",
        b"application/json; charset=utf-8",
        b'application/json;charset="UTF8"',
        b"text/json",
        b"application/vnd.openai+json",
    ],
)
def test_json_is_taken_by_any_of_its_names(value: bytes) -> None:
    check_media([(b"content-type", value), (b"content-encoding", b"Identity")])
    check_media([(b"content-encoding", b"")])


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"text/plain",
        b"application/x-www-form-urlencoded",
        b"application/jsonp",
        b"application/json, text/plain",
        b"application/json; charset=utf-16",
        b"application/json; charset=utf-8; charset=utf-7",
        b"application/json; charset=iso-8859-1",
        b"application/json\n",
        b"json",
    ],
)
def test_another_type_is_not(value: bytes) -> None:
    with pytest.raises(UnsupportedMediaType) as raised:
        check_media([(b"content-type", value)])
    assert (raised.value.status, raised.value.code) == (415, "unsupported_media_type")


@pytest.mark.parametrize("value", [b"gzip", b"BR", b"identity, gzip", b"none"])
def test_an_encoded_body_is_not(value: bytes) -> None:
    for headers in ([], [(b"content-encoding", b"identity")]):
        with pytest.raises(UnsupportedMediaType) as raised:
            check_media([*headers, (b"content-encoding", value)])
        assert (raised.value.status, raised.value.code) == (415, "unsupported_encoding")


def test_of_two_types_none_is_taken() -> None:
    with pytest.raises(InvalidRequest) as raised:
        check_media([(b"content-type", b"application/json")] * 2)
    assert raised.value.code == "invalid_headers"


def test_first_of_a_header() -> None:
    headers = [(b"a", b"1"), (b"b", b"\xe9"), (b"b", b"2")]
    assert first(headers, b"b") == "é"
    assert first(headers, b"c") == ""
