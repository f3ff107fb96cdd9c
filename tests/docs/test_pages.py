"""Every command of README and `docs/` runs as it is written, in order, against a real gateway.

What cannot run says why beside it, in the page. Recipes have tests of their own (`test_recipes`).
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.adapters.database import open_engine
from tests.fakes.pages import ROOT, SIMULATOR, Block, Reader, blocks, reading
from tests.journeys.stage import make_key

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TOLD_BY = {"recipes.md": "test_recipes.py"}
RUN = [
    page
    for page in PAGES
    if page.name not in TOLD_BY and any(one.is_run for one in blocks(page.read_text("utf-8")))
]
# Why a block may be left out. A new reason is a decision.
REASONS = {
    "the demo and the suite have tests of their own",
    "it fetches what the tests already stand in",
    "it wants a key that pays",
    "the tests bring it, pinned by a lock",
    "it takes minutes; tests/bench runs its parts",
    "it wants a container engine",
    "it wants a cluster",
    "it changes the machine that it runs on",
    "it wants PostgreSQL; tests/cli tries the same there",
}
STARTS_SERVERS = (ROOT / "README.md", ROOT / "docs" / "quickstart.md")
ASKED = """
```bash
export OPENAI_BASE_URL=http://127.0.0.1:8080/v1
export OPENAI_API_KEY=gw_…
curl -s $OPENAI_BASE_URL/responses -H "Authorization: Bearer $OPENAI_API_KEY" \\
  -H "Content-Type: application/json" -d '{"model":"gpt-5-mini","input":"Hello"}'
```
"""


def test_pages_have_commands() -> None:
    assert {page.name for page in RUN} >= {"README.md", "quickstart.md", "budgets.md"}


@pytest.fixture(scope="module")
def simulator_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with reading(tmp_path_factory.mktemp("simulator")) as one:
        one.start(SIMULATOR)
        yield one.port("9100")


@pytest.fixture
def reader(tmp_path: Path, simulator_port: int) -> Iterator[Reader]:
    """Somebody who did what the README begins with: a gateway runs, a tenant has asked it."""
    with reading(tmp_path, simulator_port=simulator_port) as one:
        engine = open_engine(f"sqlite:///{tmp_path / '.gateway' / 'gateway.db'}")
        one.key = make_key(engine)
        engine.dispose()
        one.start("python3 gw serve")
        one.follow(ASKED)
        yield one


@pytest.mark.parametrize(
    "page", [page for page in RUN if page not in STARTS_SERVERS], ids=lambda page: page.name
)
def test_the_commands_of_a_page_run(page: Path, reader: Reader) -> None:
    reader.follow(page.read_text("utf-8"))


@pytest.mark.parametrize("page", STARTS_SERVERS, ids=lambda page: page.name)
def test_the_commands_of_a_beginning_run(page: Path, tmp_path: Path) -> None:
    with reading(tmp_path) as reader:
        if SIMULATOR not in page.read_text("utf-8"):
            reader.start(SIMULATOR)
        reader.follow(page.read_text("utf-8"))


def test_what_is_left_out_has_a_reason_that_was_decided() -> None:
    told = {one.why_not_run for page in PAGES for one in blocks(page.read_text("utf-8"))}
    assert told - {None} <= REASONS


def test_no_command_hides_in_a_block_without_a_language() -> None:
    for page in PAGES:
        text = page.read_text("utf-8")
        fences = re.findall(r"^```(.*)$", text, re.MULTILINE)
        bare = [line for line in fences[::2] if not line]
        pictures = len(re.findall(r"^```\n[^`]*[┌─│]", text, re.MULTILINE))
        assert len(bare) == pictures, f"{page.name}: say which language a block is in"
        loose = re.search(r"^    (?:\$|python3|gateway|docker|kubectl|helm) ", text, re.MULTILINE)
        assert loose is None, page.name


def test_every_page_is_found_from_the_readme() -> None:
    readme = PAGES[0].read_text("utf-8")
    assert [page.name for page in PAGES[1:] if f"docs/{page.name}" not in readme] == []


def test_every_link_leads_somewhere() -> None:
    for page in PAGES:
        text = page.read_text("utf-8")
        for target, anchor in re.findall(r"\]\((?!http)([^)#\s]*)(#[^)\s]*)?\)", text):
            place = (page.parent / target) if target else page
            assert place.exists(), f"{page.name}: {target}"
            if anchor:
                titles = re.findall(r"^#+ (.+)$", place.read_text("utf-8"), re.MULTILINE)
                assert anchor[1:] in {
                    re.sub(r"[^\w -]", "", t).lower().replace(" ", "-") for t in titles
                }


def test_a_block_is_read_as_it_stands() -> None:
    page = (
        "<!-- not run: why -->\n```bash\na\n```\ntext\n```python app.py\nb\n```\n```toml\nc\n```\n"
    )
    first, second, third = blocks(page)
    assert first == Block(language="bash", file=None, text="a\n", why_not_run="why")
    assert (second.file, second.is_run, third.is_run, first.is_run) == (
        "app.py",
        True,
        False,
        False,
    )


def test_what_a_command_shows_is_held_against_what_comes(tmp_path: Path) -> None:
    with reading(tmp_path) as reader:
        reader.follow("```console\n$ echo one two; echo three\none …\nthree\n```\n")
        with pytest.raises(AssertionError, match="wanted"):
            reader.follow("```console\n$ echo one\ntwo\n```\n")
        with pytest.raises(AssertionError, match="false"):
            reader.follow("```bash\nfalse\ntrue\n```\n")
        reader.follow("```bash\nexport KEPT=gw_…\n```\n")
        assert reader.run("echo $KEPT") == "gw_none\n"


def test_blanks_are_filled_from_what_was_said(tmp_path: Path) -> None:
    reader = Reader(folder=tmp_path, env={})
    reader.remember(f'"key": "gw_{"a" * 12}_{"b" * 49}" id 01a20466-cf69-7f24-b761-e10e64c6639a')
    said = reader.filled("request ID with gw_… and sk-… at 127.0.0.1:8080, not VALID")
    port = reader.port("8080")
    assert said == (
        f"request 01a20466-cf69-7f24-b761-e10e64c6639a with gw_{'a' * 12}_{'b' * 49} and "
        f"sk-simulated at 127.0.0.1:{port}, not VALID"
    )
