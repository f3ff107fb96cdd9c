"""The house rules that no linter knows: sizes, docstrings, names, the mirror, the code map, words.

Belongs here: rules about files as text or as a tree. What ruff, mypy or import-linter can say is
said there. Each test names all that break its rule.
"""

import ast
import functools
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
FILE_LINES_MAX = 300
FUNCTION_LINES_MAX = 50
DRAWERS = {"utils", "helpers", "common", "misc", "base", "manager", "service"}
SYNONYMS = {"reserve", "reserved", "reservation", "charge", "billing"}  # of hold, and of cost
UNMIRRORED = {
    "gateway/__main__.py": "hands over to the command line",
    "gateway/simulator/__main__.py": "hands over to the simulator's server",
}
NOT_OURS = ("deploy/grafana/dashboards/", "gateway/app/static/vendor/", "tests/transcripts/")
TEXT_SUFFIXES = {".py", ".md", ".toml", ".yaml", ".yml", ".ini", ".html", ".js", ".css", ""}
MACHINE_PATH = re.compile(r"(?<![\w.}/-])/(?:work|root|home|Users)/\w+")
LEFT_FOR_LATER = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
UNNAMED_SWITCH = re.compile(r"#\s*(?:noqa|type: ignore)(?![:\[]).*")


def listed() -> list[str]:
    """Every file that is tracked, or that is new and not ignored."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted({name for name in names.split("\0") if (ROOT / name).is_file()})


FILES = listed()
MODULES = [name for name in FILES if name.endswith(".py") or name == "gw"]
OURS = [name for name in MODULES if name.startswith("gateway/")]
TEXTS = [
    name
    for name in FILES
    if PurePosixPath(name).suffix in TEXT_SUFFIXES
    and not name.startswith(NOT_OURS)
    and name != "tests/test_tidy.py"
]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@functools.cache
def tree(name: str) -> ast.Module:
    return ast.parse(text(name), name)


def obeys(names: list[str], rule: Callable[[str], object]) -> None:
    """Fail with what `rule` has to say against the files, a line each."""
    offences = [f"{name}: {said}" for name in names if (said := rule(name))]
    assert not offences, "\n" + "\n".join(offences)


def definitions(name: str) -> Iterator[str]:
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def words(identifier: str) -> set[str]:
    return set(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", identifier).lower().split("_"))


def long_functions(name: str) -> list[str]:
    return [
        f"{node.name}: {lines} lines"
        for node in ast.walk(tree(name))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES_MAX
    ]


def logic(name: str) -> list[str]:
    plain = (ast.Expr, ast.Assign, ast.AnnAssign, ast.Import, ast.ImportFrom)
    return [type(node).__name__ for node in tree(name).body if not isinstance(node, plain)]


def missing_mirror(name: str) -> str:
    if name in UNMIRRORED or name.endswith("/__init__.py"):
        return ""
    inner = PurePosixPath(name).relative_to("gateway")
    mirror = str(PurePosixPath("tests") / inner.parent / f"test_{inner.stem}.py")
    return "" if mirror in FILES else f"wants {mirror}"


def mapped() -> dict[str, list[str]]:
    """The rows of the code map: module → purpose, what it may reject, whether it does I/O."""
    rows = re.findall(r"^\| `([\w/]+)` \|(.+)\|$", text("gateway/README.md"), re.MULTILINE)
    return {module: [cell.strip() for cell in cells.split("|")] for module, cells in rows}


def test_a_file_is_one_idea() -> None:
    obeys(MODULES, lambda name: max(0, text(name).count("\n") - FILE_LINES_MAX))


def test_a_function_fits_on_a_screen() -> None:
    obeys(MODULES, long_functions)


def test_a_module_says_what_belongs_in_it() -> None:
    obeys(MODULES, lambda name: not ast.get_docstring(tree(name)))


def test_a_package_holds_no_logic() -> None:
    obeys([name for name in OURS if name.endswith("__init__.py")], logic)


def test_there_is_no_drawer_for_what_has_no_place() -> None:
    obeys(MODULES, lambda name: set(re.split(r"[/_.]", name)) & DRAWERS)


def test_one_word_has_one_meaning() -> None:
    obeys(OURS, lambda name: [d for d in definitions(name) if words(d) & SYNONYMS])


def test_every_module_has_its_tests() -> None:
    obeys(OURS, missing_mirror)
    assert [name for name in UNMIRRORED if name not in FILES] == [], "no longer an exception"


def test_the_code_map_lists_the_modules_that_exist() -> None:
    modules = {name.removeprefix("gateway/").removesuffix(".py") for name in OURS}
    assert set(mapped()) == {each for each in modules if not each.endswith("__init__")}


def test_the_code_map_is_filled_in() -> None:
    assert {each: row for each, row in mapped().items() if len(row) != 3 or not all(row)} == {}


def test_nothing_points_at_one_machine() -> None:
    obeys(TEXTS, lambda name: MACHINE_PATH.findall(text(name)))


def test_nothing_is_left_for_later() -> None:
    obeys(TEXTS, lambda name: LEFT_FOR_LATER.findall(text(name)))


def test_what_is_switched_off_is_named() -> None:
    modules = [name for name in MODULES if name in TEXTS]
    obeys(modules, lambda name: UNNAMED_SWITCH.findall(text(name)))
