"""The endpoints beside the Responses API, as the SDK uses them."""

import openai
import pytest

from gateway.simulator.server import Simulator
from tests.simulator.rawclient import call
from tests.simulator.test_api import client


async def test_embeddings_are_counted(sim: Simulator) -> None:
    async with client(sim) as sdk:
        made = await sdk.embeddings.create(model="text-embedding-3-small", input=["one", "two"])
    assert [len(one.embedding) for one in made.data] == [1536, 1536]
    (served,) = sim.served
    assert served.usage == {
        "input_tokens": 2,
        "input_tokens_details": {"cache_write_tokens": 0, "cached_tokens": 0},
        "output_tokens": 0,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 2,
    }


async def test_moderations_cost_nothing(sim: Simulator) -> None:
    async with client(sim) as sdk:
        verdict = await sdk.moderations.create(input="fine")
    assert not verdict.results[0].flagged
    assert sim.served == []


async def test_what_is_refused(sim: Simulator) -> None:
    async with client(sim) as sdk:
        with pytest.raises(openai.RateLimitError):
            await sdk.embeddings.create(model="m", input="[sim: status=429]")
    for path in ("/v1/embeddings", "/v1/moderations"):
        assert (await call(sim.base_url, "POST", path, {"model": "m"})).status == 400
    missing = {"model": "missing-model", "input": "x"}
    assert (await call(sim.base_url, "POST", "/v1/embeddings", missing)).status == 404


async def test_a_stored_completion_can_be_asked_for_again(sim: Simulator) -> None:
    async with client(sim) as sdk:
        said = [{"role": "user", "content": "Hello"}]
        made = await sdk.chat.completions.create(model="m", messages=said, store=True)  # type: ignore[arg-type]
        assert (await sdk.chat.completions.retrieve(made.id)).usage == made.usage
        with pytest.raises(openai.NotFoundError):
            await sdk.chat.completions.retrieve("chatcmpl-none")
