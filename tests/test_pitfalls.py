"""The table of pitfalls in tests/README.md names a test that exists for each of them."""

import ast
import re
import tomllib
from pathlib import Path

TESTS = Path(__file__).parent
ROW = re.compile(r"^\| P(\d+) \| .+ \| `([\w/.]+)::(\w+)` \|$", re.MULTILINE)
NUMBERS = range(1, 45)
WRAPPERS = {
    "fastapi.responses.StreamingResponse",
    "starlette.middleware.base.BaseHTTPMiddleware",
}


def rows() -> list[tuple[int, Path, str]]:
    table = ROW.findall((TESTS / "README.md").read_text(encoding="utf-8"))
    return [(int(number), TESTS / file, name) for number, file, name in table]


def functions(file: Path) -> set[str]:
    module = ast.parse(file.read_text(encoding="utf-8"))
    return {
        node.name
        for node in module.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_pitfall_has_its_row() -> None:
    assert [number for number, _, _ in rows()] == list(NUMBERS)


def test_every_row_has_its_test() -> None:
    missing = [(number, name) for number, file, name in rows() if name not in functions(file)]
    assert missing == []


def test_every_numbered_test_has_its_row() -> None:
    listed = {name for _, _, name in rows()}
    files = (TESTS / "journeys").glob("test_pitfalls_*.py")
    numbered = {name for file in files for name in functions(file) if name.startswith("test_p")}
    said = {int(re.findall(r"\d+", name)[0]) for name in numbered}
    assert said == {int(re.findall(r"\d+", name)[0]) for name in listed & numbered}


def test_p41_what_wraps_streams_is_banned() -> None:
    project = tomllib.loads((TESTS.parent / "pyproject.toml").read_text(encoding="utf-8"))
    banned = project["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"]
    assert set(banned) >= WRAPPERS
    for file in (TESTS.parent / "gateway").rglob("*.py"):
        words = file.read_text(encoding="utf-8")
        assert not [name for name in WRAPPERS if name.rsplit(".", 1)[1] in words], file
