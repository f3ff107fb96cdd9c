"""Check-ups of the machine."""

import fcntl
import resource
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gateway.cli import doctor_machine as machine
from gateway.cli.findings import Finding
from gateway.config.settings import Settings

MOUNTINFO = """\
22 1 252:0 / / rw,relatime shared:1 - ext4 /dev/root rw
30 22 0:26 / {folder} rw,nosuid - overlay overlay rw
31 30 0:27 / {folder}/on\\040nfs rw - nfs4 server:/export rw
32 30 0:28 / {folder}/ab rw - xfs /dev/sdb rw
"""


class Usage(NamedTuple):
    """As `shutil` tells it."""

    total: int
    used: int
    free: int


def settings(**sections: Any) -> Settings:
    return Settings.model_validate({"state_dir": Path(), **sections})


def level(found: list[Finding]) -> str:
    assert len(found) == 1, found
    return found[0].level


@pytest.fixture
def mounts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A kernel that says what is mounted on this test's folder."""
    table = tmp_path / "mountinfo"
    table.write_text(MOUNTINFO.format(folder=tmp_path))
    monkeypatch.setattr(machine, "MOUNTS", table)
    return tmp_path


def test_an_old_python_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    assert level(machine.python()) == "ok"
    monkeypatch.setattr(sys, "version_info", (3, 10, 9, "final", 0))
    assert machine.python()[0].said == "3.10.9"
    assert level(machine.python()) == "fail"


def test_values_that_give_up_a_promise_are_told_with_their_origin() -> None:
    assert level(machine.configuration(settings())) == "ok"
    risky = settings(
        ledger={"synchronous": "NORMAL"},
        policy={"unpriced": "record"},
        upstream={"base_url": "http://upstream.test/v1"},
    )
    risky.remember_origins({"ledger.synchronous": "environment GATEWAY_LEDGER_SYNCHRONOUS"})
    found = machine.configuration(risky)
    assert [one.level for one in found] == ["warn", "warn", "warn"]
    assert "unencrypted" in found[0].said
    assert "NORMAL (environment GATEWAY_LEDGER_SYNCHRONOUS)" in found[1].said
    assert "record (default)" in found[2].said


def test_secrets_that_are_there_and_nobody_else_s(tmp_path: Path) -> None:
    file = tmp_path / "token"
    assert level(machine.secrets(settings(admin={"token_file": file}))) == "fail"
    file.write_text("0123456789abcdef")
    file.chmod(0o604)
    (found,) = machine.secrets(settings(admin={"token_file": file}))
    assert (found.level, found.fix) == ("warn", f"chmod o-r {file}")
    file.chmod(0o600)
    assert level(machine.secrets(settings(admin={"token_file": file}))) == "ok"
    assert level(machine.secrets(settings(admin={"token": "short"}))) == "warn"


def test_the_files_of_the_webhook_are_secrets_too(tmp_path: Path) -> None:
    file = tmp_path / "url"
    for name in ("webhook_url_file", "webhook_secret_file"):
        file.unlink(missing_ok=True)
        assert level(machine.secrets(settings(alerts={name: file}))) == "fail"
        file.write_text("https://hooks.example/T0/B0")
        file.chmod(0o604)
        assert level(machine.secrets(settings(alerts={name: file}))) == "warn"


def test_whether_anybody_is_told_of_alerts_and_can_trust_them(tmp_path: Path) -> None:
    def examined(**chosen: object) -> Finding:
        (found,) = machine.alerts(settings(alerts=chosen))
        return found

    url, secret = "https://hooks.example/canary", "whsec_" + "Y2Fu" * 10
    assert "nobody is told" in examined().said
    assert examined(webhook_url=url).level == "warn"
    assert examined(webhook_url=url, format="slack").level == "ok"
    signed = examined(webhook_url=url, webhook_secret=secret)
    assert (signed.level, signed.said) == ("ok", "sent to hooks.example, json")
    assert examined(webhook_url="http://hooks.example/canary").level == "fail"
    assert examined(webhook_url=url, webhook_secret="canary").level == "fail"
    assert examined(webhook_url_file=tmp_path / "none").level == "fail"


def test_off_loopback_a_token_is_wanted() -> None:
    assert level(machine.secrets(settings())) == "ok"
    (found,) = machine.secrets(settings(host="0.0.0.0"))
    assert (found.level, found.said.partition(":")[0]) == ("warn", "no admin token")
    (found,) = machine.secrets(settings(host="0.0.0.0", admin={"port": 9090}))
    assert "refuses everybody" in found.said
    assert level(machine.secrets(settings(host="0.0.0.0", admin={"token": "x" * 32}))) == "ok"


def test_the_state_folder_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "MOUNTS", tmp_path / "none")
    folder = tmp_path / "not" / "yet"
    assert level(machine.state_folder(settings(state_dir=folder))) == "ok"
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"
    file = tmp_path / "file"
    file.touch()
    (found,) = machine.state_folder(settings(state_dir=file))
    assert (found.level, "Not a directory" in found.said) == ("fail", True)
    monkeypatch.setattr(fcntl, "flock", lambda _file, _operation: None)
    (found,) = machine.state_folder(settings(state_dir=folder))
    assert (found.level, "exclude nobody" in found.said) == ("fail", True)


def test_a_folder_that_goes_with_its_container(mounts: Path) -> None:
    (found,) = machine.state_folder(settings(state_dir=mounts / "state"))
    assert (found.level, " on overlay" in found.said) == ("warn", True)


def test_the_longest_mount_counts(mounts: Path) -> None:
    assert machine.filesystem(Path("/")) == "ext4"
    assert machine.filesystem(mounts) == "overlay"
    assert machine.filesystem(mounts / "on nfs" / "x") == "nfs4"
    assert machine.filesystem(mounts / "abc") == "overlay", "ab is no folder above abc"
    assert machine.is_network("nfs4")
    assert machine.is_network("fuse.sshfs")
    assert not machine.is_network("ext4")


@pytest.mark.parametrize(
    ("free", "wanted"), [(50 << 20, "fail"), (500 << 20, "warn"), (5 << 30, "ok")]
)
def test_room(monkeypatch: pytest.MonkeyPatch, free: int, wanted: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10 << 30, 0, free))
    assert level(machine.disk(settings())) == wanted


def test_a_price_book_that_loads_and_is_not_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert level(machine.prices(settings())) == "ok"
    (tmp_path / "own.toml").write_text("as_of = ")
    assert level(machine.prices(settings(prices={"file": tmp_path / "own.toml"}))) == "fail"

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Later":
            return cls(2100, 1, 1, tzinfo=UTC) + timedelta()

    monkeypatch.setattr(machine, "datetime", Later)
    (found,) = machine.prices(settings())
    assert (found.level, "days old" in found.said) == ("warn", True)


@pytest.mark.parametrize(("limit", "wanted"), [(1024, "warn"), (2100, "ok"), (-1, "ok")])
def test_descriptors_for_all_connections(
    monkeypatch: pytest.MonkeyPatch, limit: int, wanted: str
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    assert level(machine.descriptors(settings())) == wanted
