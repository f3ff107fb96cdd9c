"""What journeys share: the loop that the gateway is deployed on, and one stage for each file.

Not here: stages with settings of their own, which their tests build.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.journeys.held import patience
from tests.journeys.stage import Stage, stage


@pytest.fixture(scope="module", autouse=True)
def unmeasured(full_speed: None) -> None:
    """Each module's own tests reach its lines."""


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """As `gateway serve` runs; of a module, so that a stage may last as long."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="module")
async def shared_stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A gateway for all tests of a file that count only what they add to it."""
    async with patience(), stage(tmp_path_factory.mktemp("gateway")) as one:
        yield one
