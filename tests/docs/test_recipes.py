"""Every recipe of `docs/recipes.md` runs as it is written, and what it asked for is billed.

Clients that take half a gigabyte are brought by `.ci/run`; curl and the two SDKs of OpenAI's are
tried wherever they are.
"""

import os
import re
from collections.abc import Iterator

import pytest

from gateway.adapters.database import open_engine
from gateway.adapters.reports import entries
from tests.fakes.installs import found, node_packages, python_packages
from tests.fakes.pages import BEGINNING, ROOT, Reader, reading, sections

PAGE = sections(ROOT / "docs" / "recipes.md")
TESTS = ROOT / "tests"
IS_WHOLE = os.environ.get("GATEWAY_TEST_ALL") == "1"
HEAVY = (
    pytest.mark.clients,
    pytest.mark.skipif(not IS_WHOLE, reason="`.ci/run` installs it (GATEWAY_TEST_ALL=1)"),
)
PYTHON = ("Agents SDK", "LangChain", "pydantic-ai")
NODE = {"openai for Node.js": "node", "Vercel AI SDK": "clients", "Codex": "clients"}
LIGHT = ("curl", "openai for Python", "openai for Node.js")
LAST = "What they say of themselves"
BUDGET = "```bash\npython3 gw budgets set acme/search --limit-usd 25 --period month\n```\n"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Somebody who has a gateway with a hard budget, and did what the page begins with."""
    with reading(tmp_path_factory.mktemp("recipes")) as one:
        one.follow(BEGINNING + BUDGET + PAGE[""])
        yield one


def bring(reader: Reader, client: str) -> None:
    """Install what a recipe's own first line would."""
    if client in PYTHON:
        packages = python_packages(TESTS / "clients" / "requirements.lock")
        reader.run(f"export PYTHONPATH={packages}")  # these stand before the tests' own
    elif client in NODE:
        found("node")
        modules = node_packages(TESTS / NODE[client]).parent / "node_modules"
        place = reader.folder / "node_modules"
        place.unlink(missing_ok=True)
        place.symlink_to(modules)
        reader.run(f'export PATH="{modules}/.bin:$PATH"')


def billed(reader: Reader) -> list[int | None]:
    engine = open_engine(f"sqlite:///{reader.folder / '.gateway' / 'gateway.db'}")
    try:
        return [one.cost_pusd for one in entries(engine, limit=1_000)]
    finally:
        engine.dispose()


@pytest.mark.parametrize(
    "client",
    [
        pytest.param(one, marks=() if one in LIGHT else HEAVY)
        for one in PAGE
        if one not in {"", LAST}
    ],
)
def test_a_recipe_runs_and_is_billed(reader: Reader, client: str) -> None:
    before = len(billed(reader))
    bring(reader, client)
    reader.follow(PAGE[client])
    after = billed(reader)
    assert len(after) > before
    assert all(after)


def test_what_clients_say_of_themselves_is_told(reader: Reader) -> None:
    reader.follow(PAGE["curl"])
    reader.follow(PAGE[LAST])
    assert re.search(r"\bcurl\b", reader.run("python3 gw usage --by tag:gw_agent"))


def test_every_client_of_the_page_can_be_brought() -> None:
    assert {*PYTHON, *NODE, *LIGHT} == {one for one in PAGE if one not in {"", LAST}}
