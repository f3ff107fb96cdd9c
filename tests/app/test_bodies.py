"""The room for request bodies: a law over any that come and go, and what is refused unread."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.app.bodies import Bodies, Body, ClientGone, Receive
from gateway.core.errors import BodyTooLarge, Overloaded
from gateway.core.headers import Headers

BYTES_MAX = 100
TOTAL_BYTES_MAX = 250


def receiving(*sizes: int, is_whole: bool = True) -> Receive:
    """A client that sends pieces of these sizes, and then ends its body or hangs up."""
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"x" * size, "more_body": True} for size in sizes
    ]
    last = {"type": "http.request", "body": b"", "more_body": False}
    messages.append(last if is_whole else {"type": "http.disconnect"})

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    return receive


async def nothing() -> dict[str, Any]:
    raise AssertionError("nothing is to be read")


def announced(size: int) -> Headers:
    return [(b"content-length", str(size).encode())]


def bodies() -> Bodies:
    return Bodies(bytes_max=BYTES_MAX, total_bytes_max=TOTAL_BYTES_MAX)


async def test_a_body_is_read_to_its_limit() -> None:
    assert await bodies().one([], receiving(60, 40)).read() == b"x" * BYTES_MAX
    with pytest.raises(BodyTooLarge):
        await bodies().one([], receiving(60, 41)).read()
    with pytest.raises(BodyTooLarge):
        await bodies().one(announced(BYTES_MAX + 1), nothing).read()


async def test_who_hangs_up_has_no_body() -> None:
    with pytest.raises(ClientGone):
        await bodies().one([], receiving(10, is_whole=False)).read()


async def test_an_announced_body_has_its_room_at_once_and_until_its_end() -> None:
    room = bodies()
    with room.one(announced(90), receiving(90)) as first:
        await first.read()
        with room.one(announced(90), receiving(90)) as second:
            await second.read()
            assert room.total_bytes == 180
            with room.one(announced(71), nothing) as third, pytest.raises(Overloaded):
                await third.read()
        with room.one(announced(71), receiving(71)) as third:
            await third.read()
    assert room.total_bytes == 0


async def test_where_there_is_no_room_a_body_without_length_is_not_begun() -> None:
    room = Bodies(bytes_max=BYTES_MAX, total_bytes_max=BYTES_MAX)
    with room.one(announced(100), receiving(100)) as first:
        await first.read()
        with room.one([], nothing) as second, pytest.raises(Overloaded):
            await second.read()


SENT = st.tuples(
    st.lists(st.integers(min_value=0, max_value=60), max_size=4), st.booleans(), st.booleans()
)


@given(st.lists(SENT, max_size=12))
async def test_together_they_are_never_more_than_the_limit_and_leave_nothing_behind(
    sent: list[tuple[list[int], bool, bool]],
) -> None:
    room = bodies()
    known: list[tuple[Body, int]] = []
    for sizes, is_whole, is_announced in sent:
        headers = announced(sum(sizes)) if is_announced else []
        body = room.one(headers, receiving(*sizes, is_whole=is_whole))
        try:
            await body.read()
            known.append((body, sum(sizes) if is_announced else max(1, sum(sizes))))
        except (BodyTooLarge, Overloaded, ClientGone):
            body.__exit__()
        assert room.total_bytes == sum(size for _, size in known) <= TOTAL_BYTES_MAX
    for body, _ in known:
        body.__exit__()
    assert room.total_bytes == 0
