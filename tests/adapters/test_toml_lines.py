"""Every key has its line, also behind what is broken."""

import pytest

from gateway.adapters.toml_lines import toml_lines

TEXT = """\
as_of = 2026-11-22   # a comment

[models."gpt-4.1"]  # [not a header]
limit = 5
names = [
    "a",
    "[b]",
]
[[models."gpt-4.1".prices]]
default = { input = "1", output = "2" }
[models."gpt-4.1".prices.flex]
input = "3"
[[ models."gpt-4.1".prices ]]
text = \"\"\"
default = 7
\"\"\"
a.b = 1
"""


def test_where_each_key_stands() -> None:
    model = "models", "gpt-4.1"
    assert toml_lines(TEXT).of == {
        ("as_of",): 1,
        model: 3,
        (*model, "limit"): 4,
        (*model, "names"): 5,
        (*model, "prices", 0): 9,
        (*model, "prices", 0, "default"): 10,
        (*model, "prices", 0, "default", "input"): 10,
        (*model, "prices", 0, "default", "output"): 10,
        (*model, "prices", 0, "flex"): 11,
        (*model, "prices", 0, "flex", "input"): 12,
        (*model, "prices", 1): 13,
        (*model, "prices", 1, "text"): 14,
        (*model, "prices", 1, "a"): 17,
        (*model, "prices", 1, "a", "b"): 17,
    }
    assert toml_lines(TEXT).broken == []


def test_what_is_not_there_is_where_it_would_be() -> None:
    found = toml_lines(TEXT)
    assert found.at(("models", "gpt-4.1", "prices", 1, "source")) == 13
    assert found.at(("models", "other")) == 1
    assert found.at(()) == 1


def test_tables_in_an_array_have_their_line() -> None:
    assert toml_lines("a = [\n{ b = 1 },\n{ c = 2 }]\n").of == {
        ("a",): 1,
        ("a", 0, "b"): 1,
        ("a", 1, "c"): 1,
    }


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("a = \nb = 1\nc 2\n[d\ne = 3", [1, 3, 4]),
        ('a = """open\nb = 1\n', [1]),
        ("a = [1,\nb = 2\n", [1]),
        ("a = 1\n[b]\na = 1\na = 2\n", [4]),
        ("[a]\n[a]\n", [2]),
        ("[a..b]\nx = 1\n", [1]),
        ("a = 2026-02-30\n", [1]),
    ],
)
def test_all_that_is_broken_is_told(text: str, broken: list[int]) -> None:
    found = toml_lines(text)
    assert [line for line, _ in found.broken] == broken
    assert all(reason and "(at" not in reason for _, reason in found.broken)


def test_what_follows_a_broken_line_is_found() -> None:
    assert toml_lines("a = \nb = 1\n").of == {("b",): 2}
