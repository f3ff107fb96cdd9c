"""Secrets from settings and files."""

from pathlib import Path

import pytest

from gateway.config.secret import CurrentSecret, SecretUnreadable
from gateway.config.values import Secret


def test_from_a_setting() -> None:
    assert CurrentSecret(Secret("sk-1"), None)() == "sk-1"


def test_nothing_set_is_empty() -> None:
    assert CurrentSecret(None, None)() == ""


def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("first\n")
    secret = CurrentSecret(None, file)
    assert secret() == "first"
    file.write_text("the second\n")
    assert secret() == "the second"


def test_a_replaced_file_counts_as_changed(tmp_path: Path) -> None:
    file, other = tmp_path / "key", tmp_path / "new"
    file.write_text("aaaa")
    secret = CurrentSecret(None, file)
    other.write_text("bbbb")
    other.replace(file)
    assert secret() == "bbbb"


def test_a_rotation_never_leaves_us_without(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("sk-1")
    secret = CurrentSecret(None, file)
    file.write_text("")
    assert secret() == "sk-1"
    file.unlink()
    assert secret() == "sk-1"
    file.write_bytes(b"\xff\xfe\xff")
    assert secret() == "sk-1"
    file.write_text("sk-2")
    assert secret() == "sk-2"


@pytest.mark.parametrize("content", [None, "", " \n"])
def test_at_the_start_a_file_must_hold_one(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SecretUnreadable, match="key: cannot be read, or is empty"):
        CurrentSecret(None, file)


def test_it_does_not_show_itself() -> None:
    assert "sk-1" not in repr(CurrentSecret(Secret("sk-1"), None))
