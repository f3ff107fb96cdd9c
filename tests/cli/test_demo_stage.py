"""The demo's processes: started on a state of their own, and stopped with it."""

import urllib.error
import urllib.request
from pathlib import Path

import pytest

from gateway.cli.demo_stage import set_stage


def test_the_stage_is_the_same_wherever_somebody_stands(tmp_path: Path) -> None:
    Path("gateway.toml").write_text("prot = 1\n", encoding="utf-8")
    folder = tmp_path / "stage"
    folder.mkdir()
    with set_stage(folder) as stage:
        probe = stage.gateway_url.removesuffix("/v1") + "/readyz"
        with urllib.request.urlopen(probe) as answer:
            assert answer.status == 200
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(probe)
