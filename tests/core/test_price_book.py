"""The price book: which card a name has at a moment, in the book that is built in."""

import datetime as dt
from dataclasses import replace

import pytest

from tests.core.test_prices import BOOK, NOW_US, card


def test_a_price_changes_at_midnight() -> None:
    cut_us = int(dt.datetime(2026, 7, 30, tzinfo=dt.UTC).timestamp()) * 1_000_000
    before, after = BOOK.find("gpt-5.6-luna", cut_us - 1), BOOK.find("gpt-5.6-luna", cut_us)
    assert before is not None
    assert after is not None
    assert before.tiers["default"].short.input == 1_000_000
    assert after.tiers["default"].short.input == 200_000


def test_no_card_before_a_model_exists() -> None:
    assert BOOK.find("gpt-6.2-sol", 0) is None
    assert "gpt-6.2-sol" not in [price.name for price in BOOK.in_force(0)]
    assert [price.name for price in BOOK.in_force(NOW_US)] == list(BOOK.names())


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("gpt-5-nano-2025-08-07", "gpt-5-nano"),
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
        ("gpt-5.6", "gpt-5.6-sol"),
        ("gpt-5.6-2026-07-09", "gpt-5.6-sol"),
        ("ft:gpt-4.1-2025-04-14:acme::abc", "ft:gpt-4.1-2025-04-14"),
        ("ft:gpt-4.1-2025-04-14:acme:my-suffix:abc:ckpt-step-10", "ft:gpt-4.1-2025-04-14"),
    ],
)
def test_finds_snapshots_and_aliases(asked: str, name: str) -> None:
    assert card(asked).name == name


@pytest.mark.parametrize(
    "name",
    [
        "gpt-7-nova",
        "GPT-6-sol",
        "gpt-6-sol ",
        "gpt-6-sol-2026",
        "gpt-6-sol-2026-01-01-2026-01-01",
        "ft:gpt-4.1-2024-01-01:acme::abc",
        "ft:gpt-6-sol:acme::abc",
        "ft:gpt-4.1",
        "ft:",
        "openai/gpt-6-sol",
        "",
    ],
)
def test_a_name_that_is_not_listed_has_no_card(name: str) -> None:
    assert BOOK.find(name, NOW_US) is None


def test_a_snapshot_may_be_listed_as_unpriced() -> None:
    book = replace(BOOK, unpriced={"gpt-4o-2024-11-20": "it was dearer"})
    assert book.find("gpt-4o-2024-11-20", NOW_US) is None
    assert book.find("gpt-4o", NOW_US) is not None
