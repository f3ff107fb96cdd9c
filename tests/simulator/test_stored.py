"""Responses that are kept, and those in the background that take their time."""

from dataclasses import replace
from typing import Any

import openai
import pytest

from gateway.simulator.ids import Ids
from gateway.simulator.server import Simulator
from gateway.simulator.stored import STORED_MAX, Shelf, Stored
from tests.simulator.rawclient import call, respond
from tests.simulator.scenes import scene


def client(sim: Simulator) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=sim.base_url, api_key="any", max_retries=0)


class Time:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def kept(time: Time, directive: str) -> Stored:
    return Shelf(time).keep(scene(directive, background=True))


def told(stored: Stored, after: int = -1) -> list[bytes]:
    return [segment.data for segment in stored.live(after) if segment.data]


def test_in_the_background_it_takes_its_time() -> None:
    time = Time()
    stored = kept(time, "takes=10")
    assert stored.now()["status"] == stored.now()["status"] == "in_progress"
    time.now = 110.0
    assert stored.now()["status"] == "completed"


def test_its_stream_is_as_far_as_it_is() -> None:
    stored = kept(Time(), "takes=10")
    times = [segment.due_at for segment in stored.live() if segment.due_at is not None]
    assert times == sorted(times)
    assert times[0] > 100
    assert times[-1] == pytest.approx(110)
    assert told(stored, 2) == told(stored)[3:]
    assert b"response.completed" in told(stored)[-1]


def test_a_stream_ends_where_it_is_cancelled() -> None:
    stored = kept(Time(), "takes=10")
    events = stored.live()
    first = [next(events), next(events)]
    stored.is_cancelled = True
    assert (len(first), len(list(events))) == (2, 1)  # the wait for what does not come


def test_the_oldest_go_first() -> None:
    shelf = Shelf(Time())
    one = scene("")
    scenes = [replace(one, ids=Ids(stem=f"{number:050d}")) for number in range(STORED_MAX + 1)]
    for each in scenes:
        shelf.keep(each)
    assert shelf.find(scenes[0].ids.response) is None
    assert shelf.find(scenes[-1].ids.response) is not None


async def test_the_sdk_cancels_what_is_at_work(sim: Simulator) -> None:
    async with client(sim) as sdk:
        made = await sdk.responses.create(model="gpt-5.6", input="[sim: takes=60]", background=True)
        assert (await sdk.responses.retrieve(made.id)).status == "in_progress"
        for _ in range(2):
            cancelled = await sdk.responses.cancel(made.id)
            assert (cancelled.status, cancelled.usage) == ("cancelled", None)
        whole = await sdk.responses.create(model="gpt-5.6", input="Hello")
        with pytest.raises(openai.BadRequestError):
            await sdk.responses.cancel(whole.id)


async def test_the_sdk_resumes_a_stream(sim: Simulator) -> None:
    asked: dict[str, Any] = {"model": "gpt-5.6", "input": "[sim: takes=0.2]", "background": True}
    async with client(sim) as sdk:
        stream = await sdk.responses.create(**asked, stream=True)
        first = [event async for event in stream]
        name = first[0].response.id
        again = await sdk.responses.retrieve(name, stream=True, starting_after=4)
        assert [event async for event in again] == first[5:]
    assert len(sim.served) == 1


async def test_what_a_response_was_given_is_listed(sim: Simulator) -> None:
    given: Any = [{"role": "user", "content": text} for text in ("one", "two", "three")]
    async with client(sim) as sdk:
        made = await sdk.responses.create(model="gpt-5.6", input=given)
        page = await sdk.responses.input_items.list(made.id, limit=2)
        found = [item async for item in page]
    texts = [item.to_dict()["content"][0]["text"] for item in found]  # type: ignore[index]
    assert (texts, page.has_more) == (["three", "two", "one"], True)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "resp_none", 404),
        ("DELETE", "resp_none", 404),
        ("POST", "resp_none/cancel", 404),
        ("GET", "{id}/elsewhere", 404),
        ("GET", "{id}/input_items?limit=0", 400),
        ("GET", "{id}/input_items?after=item_none", 404),
    ],
)
async def test_what_is_not_there(sim: Simulator, method: str, path: str, status: int) -> None:
    made = await respond(sim.base_url, "", stream=False)
    reply = await call(sim.base_url, method, f"/v1/responses/{path.format(id=made.json['id'])}")
    assert reply.status == status
    assert reply.json["error"].keys() == {"message", "type", "param", "code"}


async def test_what_cannot_be(sim: Simulator) -> None:
    for fields in ({"background": True, "store": False}, {"conversation": "conv_none"}):
        reply = await respond(sim.base_url, "", stream=False, **fields)
        assert reply.status in (400, 404)
    reply = await respond(sim.base_url, "takes=long", stream=False, background=True)
    assert (reply.status, len(sim.served)) == (400, 0)
