"""Trace context is read, decided on and carried on as W3C has it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import headers as wire
from gateway.core.trace import Trace, carried, traced

PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
BITS = st.integers(0, 2**256 - 1)


def begun(*headers: tuple[bytes, bytes], bits: int = 1 << 200, ratio: float = 1) -> Trace:
    return traced(headers, bits=bits, sample_ratio=ratio, hops=(1.0, 2.0, 3.0))


def test_a_trace_goes_on_from_the_client_s() -> None:
    trace = begun((b"traceparent", PARENT), (b"tracestate", b"a=1"))
    assert trace.trace_id == 0x0AF7651916CD43DD8448EB211C80319C
    assert trace.parent_span_id == 0xB7AD6B7169203331
    assert trace.state == "a=1"
    assert (trace.started, trace.admitted, trace.held) == (1.0, 2.0, 3.0)


@pytest.mark.parametrize(
    ("flags", "is_sampled", "told"),
    [(b"00", False, b"00"), (b"01", True, b"01"), (b"03", True, b"03"), (b"fd", True, b"01")],
)
@pytest.mark.parametrize("ratio", [0, 1])
def test_what_the_client_decided_stands(
    flags: bytes, is_sampled: bool, told: bytes, ratio: float
) -> None:
    trace = begun((b"traceparent", PARENT[:-2] + flags), ratio=ratio)
    assert trace.is_sampled is is_sampled
    assert carried((), trace)[0][1].endswith(b"-" + told)


def test_a_later_version_s_fields_are_not_carried_on() -> None:
    trace = begun((b"traceparent", b"cc" + PARENT[2:] + b"-what-comes-later"))
    assert trace.parent_span_id == 0xB7AD6B7169203331
    assert carried((), trace)[0][1].startswith(b"00-0af7651916cd43dd8448eb211c80319c-")


@given(BITS)
def test_what_is_told_upstream_is_well_formed_and_names_our_request(bits: int) -> None:
    trace = begun(bits=bits)
    asked = [(b"accept", b"*/*"), (b"traceparent", PARENT)]
    (accept, told) = carried(asked, trace)
    assert accept == asked[0]
    assert told in wire.to_upstream([told])
    assert told[1].split(b"-")[2] == b"%016x" % trace.upstream_span_id


@given(st.lists(BITS, min_size=1), st.floats(0, 1), st.floats(0, 1))
def test_more_is_sampled_of_more(bits: list[int], less: float, more: float) -> None:
    less, more = sorted((less, more))
    few = [begun(bits=one, ratio=less).is_sampled for one in bits]
    many = [begun(bits=one, ratio=more).is_sampled for one in bits]
    assert all(b for a, b in zip(few, many, strict=True) if a)
    assert not any(begun(bits=one, ratio=0).is_sampled for one in bits)
    assert all(begun(bits=one, ratio=1).is_sampled for one in bits)
