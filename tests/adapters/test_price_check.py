"""Every mistake at once, with its line and what to do; and none where a file can be used."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.adapters.price_check import mistakes
from gateway.adapters.price_format import PriceFileInvalid
from gateway.adapters.pricefile import BUILT_IN, load_prices
from tests.adapters.test_pricefile import HEAD, OWN, ROW

WRONG = """\
as_of = "soon"
contract = 1.1
modles = {}
[windows]
"12h" = 0.5
[tools]
telepathy = "1"
file_search = "ten"

[models."gpt-4.1"]
input_tokens_max = 0
output_tokens_max = 100
[[models."gpt-4.1".prices]]
source = "contract"
from = "soon"
default = { input = "one", output = 2.5, cached = "-1", outptu = "3" }
flex = { output = "20000" }
batch_long = { input = "x" }
tools = { web_search = "1", chess = "1" }
[[models."gpt-4.1".prices]]
default = { input = "1" }
[[models."gpt-4.1".prices]]
source = "contract"
from = 2026-03-01
to = 2026-03-01
default = { input = "1" }

[models.own]
output_tokens_max = 100

[models.none]
input_tokens_max = 1
output_tokens_max = 1
prices = []

[models.long]
input_tokens_max = 1
output_tokens_max = 1
[[models.long.prices]]
source = "contract"
default = { input = "1" }
default_long = { input = "1" }

[models.twice]
input_tokens_max = 1
output_tokens_max = 1
[[models.twice.prices]]
source = "contract"
default = { input = "1" }
[[models.twice.prices]]
source = "contract"
default = { input = "1" }

[models]
odd = 7

[aliases]
short = "nothing"
fine = "own"
also = "gone"
[unpriced]
name = 3
[images]
drawing = [{ source = "contract", default = { input = "x" } }]
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "own.toml"


def told(own: Path, text: str) -> list[tuple[int, str, str]]:
    own.write_text(text)
    return [(one.line, one.place, one.reason) for one in mistakes(own)]


def test_all_of_them_at_once(own: Path) -> None:
    text = WRONG.replace("[models]\nodd = 7\n", "[models.odd]\nx = 1\n")
    found = told(own, text)
    row = 'models."gpt-4.1".prices'
    expected = [
        (1, "as_of", "RFC3339", "as 2026-12-01"),
        (2, "contract", "got `float`", "in quotes"),
        (3, "modles", "unknown field `modles`", "did you mean `models`?"),
        (5, "windows.12h", "got `float`", "in quotes"),
        (7, "tools.telepathy", "no such fee", "there are"),
        (8, "tools.file_search", "'ten' is not a decimal", "write digits"),
        (11, 'models."gpt-4.1".input_tokens_max', "`int` >= 1", "a whole number"),
        (15, f"{row}[1].from", "RFC3339", "as 2026-12-01"),
        (16, f"{row}[1].default.cached", "zero or more", "leave it out"),
        (16, f"{row}[1].default.input", "'one' is not a decimal", "write digits"),
        (16, f"{row}[1].default.outptu", "unknown field `outptu`", "did you mean `output`?"),
        (16, f"{row}[1].default.output", "got `float`", "in quotes"),
        (17, f"{row}[1].flex", "missing required field `input`", "add it"),
        (17, f"{row}[1].flex.output", "more than 10000", "move the decimal point"),
        (18, f"{row}[1].batch_long.input", "'x' is not a decimal", "write digits"),
        (19, f"{row}[1].tools.chess", "no such fee", "there are"),
        (20, f"{row}[2]", "missing required field `source`", "add it"),
        (22, f"{row}[3]", "`from` is not before `to`", "first day"),
        (28, "models.own", "missing required field `input_tokens_max`", "add it"),
        (28, "models.own", "missing required field `prices`", "add it"),
        (34, "models.none.prices", "length >= 1", "add [[models.NAME.prices]]"),
        (42, "models.long.prices[1].default_long", "needs `default`", "long_context_above"),
        (44, "models.twice", "in force at the same time", "end the earlier"),
    ]
    for line, place, reason, advice in expected:
        (match,) = [one[2] for one in found if one[:2] == (line, place) and reason in one[2]]
        assert advice in match
    rest = [one for one in found if one[:2] not in {(line, place) for line, place, *_ in expected}]
    assert [one[1] for one in rest] == [
        *["models.odd"] * 3,
        "models.odd.x",
        "aliases.short",
        "aliases.also",
        "unpriced.name",
        "images.drawing",
    ]
    assert [one[0] for one in found] == sorted(one[0] for one in found)


def test_what_can_be_used_has_none(own: Path) -> None:
    assert told(own, HEAD + OWN + ROW + '[aliases]\na = "own"\nb = "gpt-5"\n') == []
    for path in BUILT_IN.glob("*.toml"):
        assert mistakes(path) == [], path


@pytest.mark.parametrize(
    ("text", "places"),
    [
        (HEAD + "models = 3", ["models"]),
        (HEAD + "[models]\nown = 3", ["models.own"]),
        (HEAD + OWN + "prices = [3]", ["models.own.prices[1]"]),
        (HEAD + OWN + "prices = 3", ["models.own.prices"]),
        (
            HEAD + OWN + ROW.replace('{ input = "1", output = "2" }', "3"),
            ["models.own.prices[1].default"],
        ),
        (HEAD + OWN + ROW.replace('input = "1", ', ""), ["models.own.prices[1].default"]),
        (HEAD + "aliases = 3", ["aliases"]),
        (HEAD + "[aliases]\na = []", ["aliases.a"]),
        (HEAD + 'image_model_default = "x"', [""]),
        ("", [""]),
    ],
)
def test_odd_shapes(own: Path, text: str, places: list[str]) -> None:
    assert [place for _, place, _ in told(own, text)] == places


def test_a_fee_that_cannot_be_stops_a_start_without_a_model(own: Path) -> None:
    assert [one[:2] for one in told(own, HEAD + '[tools]\nchess = "1"\n')] == [(3, "tools.chess")]
    with pytest.raises(PriceFileInvalid, match=r"tools\.chess: no such fee"):
        load_prices(own)


TRIED = (HEAD + OWN + ROW + WRONG.replace("as_of", "x")).splitlines()


@given(st.sets(st.integers(0, len(TRIED) - 1)), st.sampled_from([1, 4, len(TRIED)]))
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_stops_a_start_is_told_and_nothing_else(
    own: Path, chosen: set[int], first: int
) -> None:
    """Of any lines."""
    lines = TRIED[:first] + [TRIED[number] for number in sorted(chosen)]
    own.write_text("\n".join(lines))
    try:
        load_prices(own)
    except PriceFileInvalid:
        assert mistakes(own)
    else:
        assert not mistakes(own)


def test_broken_lines_come_first(own: Path) -> None:
    assert told(own, "as_of = \nx\nmodels = 3\n") == [
        (1, "", "is not TOML: Invalid value"),
        (2, "", "is not TOML: Expected '=' after a key in a key/value pair"),
    ]


def test_what_cannot_be_read(own: Path) -> None:
    with pytest.raises(PriceFileInvalid, match=r"cannot be read: .*No such file"):
        mistakes(own)
    own.write_bytes(b"\xff")
    with pytest.raises(PriceFileInvalid, match="cannot be read: 'utf-8'"):
        mistakes(own)


def test_it_is_told_in_one_line(own: Path) -> None:
    own.write_text(HEAD + "contract = 1\n[models.own]\nx")
    assert [str(one) for one in mistakes(own)] == [
        "line 4: is not TOML: Expected '=' after a key in a key/value pair"
    ]
    own.write_text(HEAD + "contract = 1\n")
    (one,) = mistakes(own)
    assert str(one).startswith("line 2: contract: Expected `str | null`, got `int`; write it in")
