"""The table of other meters' bugs in tests/README.md names a test for each, or why it cannot be."""

import re

from tests.test_pitfalls import TESTS, functions

ROW = re.compile(
    r"^\| B(\d+) \| .+ \| (?:`([\w/.]+)::(\w+)`|cannot happen: \S.{20,}) \|$", re.MULTILINE
)


def rows() -> list[tuple[int, str, str]]:
    table = ROW.findall((TESTS / "README.md").read_text(encoding="utf-8"))
    return [(int(number), file, name) for number, file, name in table]


def test_every_bug_has_its_row() -> None:
    assert [number for number, _, _ in rows()] == list(range(1, 54))


def test_every_row_has_its_test() -> None:
    missing = [
        (number, name)
        for number, file, name in rows()
        if file and name not in functions(TESTS / file)
    ]
    assert missing == []
