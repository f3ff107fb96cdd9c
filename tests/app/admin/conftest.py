"""The scene, once for each file, on each kind of database."""

from collections.abc import AsyncIterator

import pytest

from tests.app.admin.scene import Scene, scene


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One loop for a file, as its gateway lives as long."""
    return "asyncio"


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
async def on(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Scene]:
    async with scene(tmp_path_factory.mktemp("gateway"), request.param) as one:
        yield one
