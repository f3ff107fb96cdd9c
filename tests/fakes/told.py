"""Tells a life what happened, as a relay does; the stream and the body that it is told of."""

import itertools
import json
from typing import Any

from gateway.core.exchange import Exchange
from gateway.core.life import Life
from gateway.core.price_book import PriceBook
from tests.builders import hold, price

USAGE = {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120}
RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "model": "gpt-test",
    "service_tier": "default",
    "output": [{"type": "message"}],
    "usage": USAGE,
}
BODY = json.dumps(RESPONSE).encode()
STREAM_HEAD = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-request-id", b"req_1")]
BODY_HEAD = [(b"content-type", b"application/json")]
BOOK = PriceBook(version="book", cards={"gpt-test": (price(),)})


def event(kind: str, **fields: Any) -> bytes:
    data = json.dumps({"type": kind, **fields})
    return f"event: {kind}\ndata: {data}\n\n".encode()


CREATED = event("response.created", response={"id": "resp_1", "usage": None})
ITEM = event("response.output_item.added", item={"type": "message"})
DELTA = event("response.output_text.delta", delta="hello")
TERMINAL = event("response.completed", response=RESPONSE)
AFTER = b": bye\n\ndata: [DONE]\n\n"
BEFORE = CREATED + ITEM + DELTA + DELTA


def begun(*, status: int = 200, head: Any = STREAM_HEAD, **fields: Any) -> Life:
    life = Life(hold=hold(**fields), book=BOOK, started=10.0)
    life.answered(status=status, headers=head, now=10.5)
    return life


def settled(life: Life) -> Exchange:
    assert life.is_due
    exchange = life.settle(settled_at_us=7, now=13.0)
    assert not life.is_due
    return exchange


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def played(life: Life, chunks: list[bytes]) -> tuple[bytes, bytes, list[Exchange]]:
    """Drive a life as a relay does: what left before its settlement, what after, its records."""
    before, after = b"", b""
    records: list[Exchange] = []
    for chunk in chunks:
        ready = life.chunk(chunk, 11.0)
        if records:
            after += ready
        else:
            before += ready
        if life.is_due:
            records.append(settled(life))
            after += life.release()
    life.ended()
    if life.is_due:
        records.append(settled(life))
        after += life.release()
    return before, after, records
