"""What the pages show is checked on one console with a month behind it, for all of their tests."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import pytest
from sqlalchemy import Engine

from gateway.adapters.database import open_engine
from gateway.adapters.migrate import upgrade
from tests.console import history
from tests.fakes.consoled import Consoled, consoled


class _Figures(HTMLParser):
    """The exact figures of a page, in its order."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "data":
            self.found.append(str(dict(attrs)["value"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """A console with a month behind it."""

    on: Consoled

    @property
    def engine(self) -> Engine:
        return self.on.engine

    async def figures(self, path: str) -> list[str]:
        """All exact figures that a page shows."""
        parser = _Figures()
        parser.feed(await self.text(path))
        return parser.found

    async def text(self, path: str) -> str:
        page = await self.on.get(path)
        assert page.status_code == 200, path
        return page.text


@pytest.fixture(scope="package")
def anyio_backend() -> str:
    """One loop for the console that all tests of this folder look at."""
    return "asyncio"


@pytest.fixture(scope="package")
async def month(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Month]:
    folder: Path = tmp_path_factory.mktemp("month")
    engine = open_engine(f"sqlite:///{folder / 'gateway.db'}", synchronous="NORMAL")
    upgrade(engine)
    history.make_tenants(engine)
    history.set_rules(engine)
    await history.write_month(engine)
    engine.dispose()
    async with consoled(folder) as on:
        yield Month(on=on)
    shutil.rmtree(folder, ignore_errors=True)
