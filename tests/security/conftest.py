"""The loop that the gateway is deployed on, for stages that last as long as a file of tests."""

from typing import Any

import pytest


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """As `gateway serve` runs."""
    return "asyncio", {"use_uvloop": True}
