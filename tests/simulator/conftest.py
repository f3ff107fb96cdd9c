"""A running simulator for the tests of its parts."""

from collections.abc import AsyncIterator

import pytest

from gateway.simulator.server import Simulator


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator() as simulator:
        yield simulator
