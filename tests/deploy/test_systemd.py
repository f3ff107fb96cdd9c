"""The unit for one machine: systemd's own verdict of it, and that it says what the program needs.

No service is started here: there is no systemd among the tests' needs, only `systemd-analyze`.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.config.fields import FIELDS
from gateway.config.settings import Settings
from tests.deploy.conftest import judged

SYSTEMD = Path(__file__).resolve().parents[2] / "deploy" / "systemd"
UNIT = (SYSTEMD / "gateway.service").read_text()
EXPOSURE_MAX = 25  # tenths: systemd calls less than 2 points OK, and less than 5 medium
Program = Callable[[str], str]


def values(name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", UNIT, re.MULTILINE)


def test_systemd_takes_the_unit(program: Program, tmp_path: Path) -> None:
    unit = tmp_path / "gateway.service"
    unit.write_text(UNIT.replace("/opt/gateway/bin/gateway", sys.executable))
    assert judged(program("systemd-analyze"), "verify", "--man=no", unit) == ""
    unit.write_text(unit.read_text().replace("ProtectSystem=strict", "ProtectSystem=strictly"))
    assert "strictly" in judged(program("systemd-analyze"), "verify", "--man=no", unit)


@pytest.mark.parametrize("tenths", [EXPOSURE_MAX, 0])
def test_the_service_can_do_little(program: Program, tenths: int) -> None:
    words = ("security", "--offline=true", f"--threshold={tenths}", "--no-pager")
    unit = SYSTEMD / "gateway.service"
    judged(program("systemd-analyze"), *words, unit, holds=tenths == EXPOSURE_MAX)


def test_every_setting_is_one_and_every_credential_is_used() -> None:
    given = dict(re.findall(r"^Environment=(\w+)=(.*)$", UNIT, re.MULTILINE))
    known = {field.variable for field in FIELDS.values()} | {"GATEWAY_CONFIG"}
    assert set(given) <= known
    credentials = {line.partition(":")[0] for line in values("LoadCredential")}
    used = {value.removeprefix("%d/") for value in given.values() if value.startswith("%d/")}
    assert credentials == used
    assert given["GATEWAY_STATE_DIR"] == f"%S/{values('StateDirectory')[0]}"


def test_it_migrates_before_it_serves_and_is_given_time_to_end() -> None:
    assert values("ExecStartPre") == ["/opt/gateway/bin/gateway migrate"]
    assert values("ExecStart") == ["/opt/gateway/bin/gateway serve"]
    settings = Settings()
    minutes = int(values("TimeoutStopSec")[0].removesuffix("min"))
    assert minutes * 60 > max(settings.drain.seconds_max, settings.shutdown.seconds_max)
    user = values("User")
    assert f"u {user[0]} " in (SYSTEMD / "sysusers.conf").read_text()
