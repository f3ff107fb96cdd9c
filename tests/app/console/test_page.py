"""Pages: what is asked for is checked, addresses keep the rest, tables are harmless."""

import csv
import io

import pytest

from gateway.app.console.page import Asked, Table, begin_of_span, day_us, table_of
from gateway.app.console.viewer import OPERATOR, Viewer
from gateway.core.errors import InvalidRequest, NotFound
from gateway.core.pace import DAY_US
from gateway.core.price_book import PriceBook
from tests.builders import AT_US

BOOK = PriceBook(version="", cards={})


def asked(viewer: Viewer = OPERATOR, **query: str) -> Asked:
    return Asked(viewer=viewer, query=query, book=BOOK)


def test_choices_and_numbers_are_checked() -> None:
    assert (asked().one_of("by", ("a", "b")), asked(by="b").one_of("by", ("a", "b"))) == ("a", "b")
    assert (asked().number("n", 5), asked(n="7").number("n", 5)) == (5, 7)
    with pytest.raises(InvalidRequest):
        asked(by="c").one_of("by", ("a",))
    for wrong in ("x", "1.5", "-1"):
        with pytest.raises(InvalidRequest):
            asked(n=wrong).number("n", 5)


def test_a_viewer_wants_no_more_than_is_seen() -> None:
    lead = Viewer(by="", tenant="acme", scopes=frozenset())
    assert [name for name in ("acme", "acme/a", "b") if asked(lead).wants(name)] == [
        "acme",
        "acme/a",
    ]
    assert [name for name in ("acme", "acme/a", "b") if asked(tenant="acme/a").wants(name)] == [
        "acme/a"
    ]
    with pytest.raises(NotFound):
        _ = asked(lead, tenant="b").tenant


def test_an_address_keeps_what_is_not_changed() -> None:
    page = asked(tenant="a/b", model="m", before="1")
    assert page.address("/p", before="2") == "/p?tenant=a%2Fb&model=m&before=2"
    assert asked(before="1").address("/p", before=None) == "/p"


def test_no_cell_is_a_formula() -> None:
    cells = ("=1", "+1", "-1", "@a", "\tx", "plain", "a,b\n", None, -5)
    (row,) = list(csv.reader(io.StringIO(Table(columns=["c"], rows=[cells]).csv())))[1:]
    assert row == ["'=1", "'+1", "'-1", "'@a", "'\tx", "plain", "a,b\n", "", "-5"]


def test_a_table_has_the_columns_that_are_named() -> None:
    assert table_of([{"a": 1, "b": 2}], ("b",)).rows == [[2]]


def test_a_span_begins_with_a_day() -> None:
    today_us = AT_US // DAY_US * DAY_US
    assert begin_of_span("7d", AT_US) == today_us - 6 * DAY_US
    assert day_us("2026-11-22") == today_us
