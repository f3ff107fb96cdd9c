"""The price book of a verb: the files' where there is no database, else what that says of it."""

from pathlib import Path

import pytest

from gateway.cli.book import book_in_force, files_book
from gateway.cli.exits import CheckFailed, SettingsRefused, Unreachable
from tests.cli.commands import Gateway

BROKEN = Path("own.toml")


def test_without_a_database_the_files_count(gateway: Gateway) -> None:
    assert book_in_force(None) == files_book(None)
    assert not Path(".gateway").exists()


def test_what_the_database_says_lies_over_them(gateway: Gateway) -> None:
    gateway("prices", "unset", "gpt-5")
    version = files_book(None).version
    assert book_in_force(None).version == f"{version}+database:1"


def test_a_broken_file_ends_the_verb(monkeypatch: pytest.MonkeyPatch) -> None:
    BROKEN.write_text("models = 3")
    with pytest.raises(CheckFailed, match=r"own\.toml"):
        files_book(BROKEN)
    monkeypatch.setenv("GATEWAY_PRICES_FILE", "own.toml")
    with pytest.raises(SettingsRefused, match=r"own\.toml"):
        book_in_force(None)


def test_a_database_that_cannot_be_asked_is_no_empty_one(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("empty.db").touch()
    monkeypatch.setenv("GATEWAY_DATABASE_URL", "sqlite:///empty.db")
    with pytest.raises(Unreachable, match="schema"):
        book_in_force(None)
