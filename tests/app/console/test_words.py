"""Words: figures are rounded for the eye and exact beside it; no value ends an element."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters.overrides import Said
from gateway.app.console import words
from gateway.core.money import PUSD_PER_USD, to_usd


def shown(markup: str) -> str:
    return str(markup).split(">")[1].split("<")[0]


@pytest.mark.parametrize(
    ("pusd", "text"),
    [
        (0, "$0.00"), (PUSD_PER_USD * 1234567 // 100, "$12,345.67"), (5_000_000_000, "$0.0050"),
        (1, "$0.000000000001"), (123_456, "$0.00000012"), (995 * 10**10, "$9.95"),
        (-PUSD_PER_USD, "\N{MINUS SIGN}$1.00"),
    ],
)  # fmt: skip
def test_money_is_rounded_for_the_eye(pusd: int, text: str) -> None:
    assert shown(words.usd(pusd)) == text


@given(st.integers(-(10**19), 10**19))
def test_all_of_it_is_beside_it(pusd: int) -> None:
    for written in (words.usd(pusd), words.fine_usd(pusd), words.exact_usd(pusd)):
        assert f'value="{to_usd(pusd)}"' in written
    plain = words.exact_usd(pusd).striptags()
    assert plain == to_usd(pusd)


def test_what_is_not_known_is_no_zero() -> None:
    for written in (words.usd(None), words.fine_usd(None), words.exact_usd(None)):
        assert "unpriced" in written
    assert (words.count(None), words.span(None), str(words.moment(None))) == (words.UNKNOWN,) * 3
    assert words.price(None, 1) == words.UNKNOWN


def test_spans_have_two_units_at_most() -> None:
    seconds = (0.0125, 5.04, 75, 3_725, 200_000)
    told = [words.span(round(one * 1_000_000)) for one in seconds]
    assert told == ["12 ms", "5.0 s", "1 min 15 s", "1 h 2 min", "2 d 7 h"]


@given(st.integers(-5, 10**20), st.integers(0, 10**20))
def test_a_share_can_be_drawn(part: int, whole: int) -> None:
    assert 0 <= words.percent(part, whole) <= 100


@given(st.text())
def test_data_ends_no_element_and_is_what_it_was(text: str) -> None:
    written = str(words.data({"label": text}))
    assert not {"<", ">", "&", "\u2028"} & set(written)
    assert json.loads(written) == {"label": text}


def test_phases_are_words_and_unknown_ones_too() -> None:
    assert words.phase("message") == "writing"
    assert words.phase("web_search_call") == "web search"


def test_a_static_file_s_address_changes_with_it() -> None:
    assert words.asset("console.css").startswith("/console/static/console.css?v=")
    with pytest.raises(FileNotFoundError):
        words.asset("none.css")


def test_what_was_said_of_a_price_is_told_in_words() -> None:
    document = '{"models": {"m": {"prices": [{"default": {"input": "1.00", "output": "2"}}]}}}'
    for text, told in (
        (None, "as the files say"), (document, "input 1.00, output 2"), ("{}", "another form"),
        ("not json", "another form"),
    ):  # fmt: skip
        said = Said(
            n=1, model="m", effective_from_us=0, effective_to_us=None, document=text, at_us=0,
            author="", note="",
        )  # fmt: skip
        assert words.default_tier(said) == told
