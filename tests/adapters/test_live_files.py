"""What processes tell each other: only while somebody looks, fresh, whole, and gone with them."""

import os
from pathlib import Path

from gateway.adapters.live_files import STALE_SECONDS, WATCHED_SECONDS, LiveFiles
from gateway.core.progress import SoFar

HERE = SoFar(
    phase="message",
    age_seconds=1.5,
    first_byte_seconds=None,
    items_ended=0,
    output_tokens=3,
    cost_pusd=9,
    client_gone=False,
)


def age(path: Path, seconds: float) -> None:
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


def test_each_hears_of_all_others(tmp_path: Path) -> None:
    one, other = LiveFiles(tmp_path, "one"), LiveFiles(tmp_path, "other")
    one.tell({"a": HERE})
    other.tell({"b": HERE, "c": HERE})
    assert (set(one.look()), other.look()) == ({"b", "c"}, {"a": HERE})
    other.end()
    assert one.look() == {}
    other.end()


def test_it_is_known_whether_somebody_looks(tmp_path: Path) -> None:
    one, other = LiveFiles(tmp_path, "one"), LiveFiles(tmp_path, "other")
    assert not one.is_watched()
    other.look()
    assert one.is_watched()
    age(tmp_path / "live.watched", WATCHED_SECONDS + 1)
    assert not one.is_watched()


def test_what_is_stale_or_broken_is_passed_over(tmp_path: Path) -> None:
    one, other = LiveFiles(tmp_path, "one"), LiveFiles(tmp_path, "other")
    one.tell({"a": HERE})
    (tmp_path / "live-third.json").write_bytes(b"{")
    assert other.look() == {"a": HERE}
    age(tmp_path / "live-one.json", STALE_SECONDS + 1)
    assert other.look() == {}
