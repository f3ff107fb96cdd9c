"""What every test may rely on: the async backend, and the switch for the long tests.

Fixtures that belong to one part of the program live in that part's own conftest, not here.
"""

import os
from collections.abc import Iterator

import pytest
from coverage import Coverage
from hypothesis import settings

# A machine that is busy with other tests is no reason to fail one. The short forms try the same
# examples each time, so that a change is judged by itself; --long goes looking for new ones.
settings.register_profile("short", deadline=None, derandomize=True)
settings.register_profile("long", deadline=None)


@pytest.fixture
def anyio_backend() -> str:
    """The gateway runs on asyncio alone, so its tests do too."""
    return "asyncio"


@pytest.fixture(scope="module")
def full_speed() -> Iterator[None]:
    """No coverage: for tests that go the same ways very often, which others have gone."""
    coverage = Coverage.current()
    if coverage is not None:
        coverage.stop()
    yield
    if coverage is not None:
        coverage.start()


def pytest_configure(config: pytest.Config) -> None:
    """Choose the examples, and measure the tests' own processes.

    What they start runs at its own speed, and is told by them. Without workers the variable is not
    in use yet.
    """
    settings.load_profile("long" if config.getoption("--long") else "short")
    if hasattr(config, "workerinput"):
        os.environ.pop("COVERAGE_PROCESS_CONFIG", None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also run the tests marked `long`")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        return
    skip = pytest.mark.skip(reason="a heavy count: run it with --long")
    for item in items:
        if "long" in item.keywords:
            item.add_marker(skip)
