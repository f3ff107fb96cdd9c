"""The golden streams are what the simulator writes today."""

from pathlib import Path

import pytest

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
