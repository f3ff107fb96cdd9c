"""The demo's requests: each asks the real SDK for what its title says, for one of three tenants."""

import asyncio
from collections import Counter

import pytest
from openai import OpenAI

from gateway.cli.demo_traffic import REQUESTS, Request
from gateway.simulator.server import Simulator


def test_three_tenants_ask_for_different_things() -> None:
    assert len({request.title for request in REQUESTS}) == len(REQUESTS)
    assert Counter(request.tenant for request in REQUESTS).keys() == {
        "acme/search", "acme/support", "globex",
    }  # fmt: skip


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.title)
async def test_each_is_answered_as_its_title_says(request_: Request) -> None:
    async with Simulator(port=0) as simulator:
        client = OpenAI(base_url=simulator.base_url, api_key="sk-test", max_retries=0)
        with client:
            answer = await asyncio.to_thread(request_.ask, client)
        assert answer
        (served,) = simulator.served
        is_cut = "max_output_tokens" in request_.title
        assert served.outcome == ("incomplete" if is_cut else "completed")
