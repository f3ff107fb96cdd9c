"""The golden streams are what the simulator writes today."""

import json
from pathlib import Path

import msgspec
import pytest

from gateway.core.observer import observer_for
from gateway.simulator.transcripts import CASES, transcript, write_all

GOLDEN = Path(__file__).parent.parent / "transcripts"


@pytest.mark.parametrize("name", CASES)
def test_writing_them_again_gives_the_same_bytes(name: str) -> None:
    stream, expected = transcript(name)
    assert stream == (GOLDEN / f"{name}.sse").read_bytes()
    assert expected == (GOLDEN / f"{name}.json").read_bytes()


def test_all_are_written(tmp_path: Path) -> None:
    write_all(tmp_path)
    written = {path.name for path in tmp_path.iterdir()}
    assert len(written) == 2 * len(CASES)
    assert written <= {path.name for path in GOLDEN.iterdir()}


@pytest.mark.parametrize("step", [10**9, 1, 7])
@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.sse")), ids=lambda path: path.stem)
def test_the_observer_reads_what_was_played(path: Path, step: int) -> None:
    expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    observer = observer_for(status=200, content_type="text/event-stream", content_encoding="")
    stream = path.read_bytes()
    for at in range(0, len(stream), step):
        observer.feed(stream[at : at + step])
    read = msgspec.to_builtins(observer.end(is_clean=True))
    read["web_searches"] = read["tools"]["web_searches"]
    if expected.get("usage") is not None:
        read["usage"] = {name: read["usage"][name] for name in expected["usage"]}
    assert {name: read[name] for name in expected} == expected
