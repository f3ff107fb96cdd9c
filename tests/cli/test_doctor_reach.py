"""Check-ups of the database, the ports and the upstream, against real ones on loopback."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters import migrate
from gateway.adapters.database import open_engine
from gateway.cli import doctor_machine, doctor_reach
from gateway.cli.findings import Finding
from gateway.config.settings import Settings
from gateway.simulator.server import Simulator

KEY = "sk-upstream-of-the-operator"


def settings(folder: Path, **sections: Any) -> Settings:
    return Settings.model_validate({"state_dir": folder, **sections})


def told(found: list[Finding]) -> dict[str, str]:
    return {one.check: one.level for one in found}


@pytest.fixture(autouse=True)
def on_a_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Wherever the tests run, their folder is on a filesystem that nobody names."""
    monkeypatch.setattr(doctor_machine, "MOUNTS", tmp_path / "none")


@contextmanager
def simulator(**given: Any) -> Iterator[Simulator]:
    """A simulator in a loop of its own: the check-up blocks this thread."""
    loop = asyncio.new_event_loop()
    running = threading.Thread(target=loop.run_forever)
    running.start()
    upstream = Simulator(**given)
    asyncio.run_coroutine_threadsafe(upstream.start(), loop).result()
    try:
        yield upstream
    finally:
        asyncio.run_coroutine_threadsafe(upstream.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        running.join()
        loop.close()


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """A server that says the same to everybody; nothing at all if that is what it says."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_database_with_its_schema(tmp_path: Path) -> None:
    one = settings(tmp_path)
    assert told(doctor_reach.database(one)) == {"database": "warn"}
    assert list(tmp_path.iterdir()) == [], "a check-up creates nothing"
    engine = open_engine(one.database.url)
    assert told(doctor_reach.database(one)) == {"database": "fail"}
    migrate.upgrade(engine)
    assert told(doctor_reach.database(one)) == {"database": "ok"}
    engine.dispose()


def test_a_database_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "gateway.db").write_text("this is no database, and never was one" * 100)
    assert told(doctor_reach.database(settings(tmp_path))) == {"database": "fail"}


def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    url = "postgresql+psycopg://operator:hidden@127.0.0.1:9/gateway"
    (found,) = doctor_reach.database(settings(tmp_path, database={"url": url}))
    assert found.level == "fail"
    assert "hidden" not in found.said


@pytest.mark.parametrize(("kind", "level"), [("nfs4", "fail"), ("tmpfs", "warn"), ("xfs", "ok")])
def test_a_database_on_another_machine_or_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, level: str
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"1 0 0:1 / / rw - {kind} source rw\n")
    monkeypatch.setattr(doctor_machine, "MOUNTS", mounts)
    one = settings(tmp_path)
    engine = open_engine(one.database.url)
    migrate.upgrade(engine)
    engine.dispose()
    assert told(doctor_reach.database(one)) == {"database": level}


def test_ports_that_are_free_and_that_are_not(tmp_path: Path) -> None:
    assert told(doctor_reach.ports(settings(tmp_path, port=0))) == {"port": "ok"}
    with answering(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nwelcome") as port:
        found = doctor_reach.ports(settings(tmp_path, port=0, admin={"port": port}))
    assert [one.level for one in found] == ["ok", "fail"]
    assert found[1].said == f"127.0.0.1:{port}: Address already in use"


def test_a_port_that_a_gateway_has(tmp_path: Path) -> None:
    with answering(b'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{"status":"ok"}') as port:
        (found,) = doctor_reach.ports(settings(tmp_path, port=port))
    assert (found.level, found.said) == ("ok", f"127.0.0.1:{port}: a gateway runs there")


def test_an_upstream_that_takes_the_key(tmp_path: Path) -> None:
    with simulator(api_key=KEY) as on:
        one = settings(tmp_path, upstream={"base_url": on.base_url, "api_key": KEY})
        found = told(doctor_reach.upstream(one))
        assert found == {"upstream": "ok", "upstream key": "ok", "clock": "ok"}
        (asked,) = on.requests
    assert (asked.method, asked.target) == ("GET", "/v1/models")


def test_an_upstream_that_does_not_take_the_key(tmp_path: Path) -> None:
    with simulator(api_key=KEY) as on:
        one = settings(tmp_path, upstream={"base_url": on.base_url, "api_key": "sk-wrong"})
        found = doctor_reach.upstream(one)
        nobody = doctor_reach.upstream(settings(tmp_path, upstream={"base_url": on.base_url}))
    assert told(found) == {"upstream": "ok", "upstream key": "fail", "clock": "ok"}
    assert not [one for one in found if "sk-wrong" in one.said + one.fix]
    assert told(nobody)["upstream key"] == "warn"


@pytest.mark.parametrize("status", [403, 404, 503])
def test_an_upstream_that_says_something_else(tmp_path: Path, status: int) -> None:
    head = f"HTTP/1.1 {status} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    with answering(head.encode()) as port:
        upstream = {"base_url": f"http://127.0.0.1:{port}", "api_key": KEY}
        found = told(doctor_reach.upstream(settings(tmp_path, upstream=upstream)))
    assert found == {"upstream": "ok", "upstream key": "warn", "clock": "warn"}


@pytest.mark.parametrize(("off_seconds", "level"), [(-90, "warn"), (90, "warn"), (5, "ok")])
def test_a_clock_that_is_wrong(tmp_path: Path, off_seconds: int, level: str) -> None:
    date = formatdate(time.time() + off_seconds, usegmt=True)
    head = f"HTTP/1.1 200 OK\r\nDate: {date}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    with answering(head.encode()) as port:
        upstream = {"base_url": f"http://127.0.0.1:{port}", "api_key": KEY}
        found = doctor_reach.upstream(settings(tmp_path, upstream=upstream))
    assert told(found)["clock"] == level
    assert ("ahead" in found[-1].said) == (off_seconds < 0)


def test_an_upstream_that_is_not_there(tmp_path: Path) -> None:
    with closing(socket.socket()) as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}/v1"
        found = doctor_reach.upstream(settings(tmp_path, upstream={"base_url": address}))
    assert told(found) == {"upstream": "fail"}


def test_an_upstream_that_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_reach, "SECONDS_MAX", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        found = doctor_reach.upstream(settings(tmp_path, upstream={"base_url": address}))
    assert told(found) == {"upstream": "fail"}


def test_a_name_that_nobody_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(host: str, _port: None) -> None:
        raise socket.gaierror(socket.EAI_NONAME, f"{host} not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    (found,) = doctor_reach.upstream(settings(tmp_path))
    assert (found.level, "api.openai.com is not known" in found.said) == ("fail", True)


@pytest.mark.parametrize("name", ["ca_file", "api_key_file"])
def test_files_of_the_upstream_that_cannot_be_used(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").touch()
    upstream = {"base_url": "https://127.0.0.1:9/v1", name: tmp_path / "empty"}
    (found,) = doctor_reach.upstream(settings(tmp_path, upstream=upstream))
    assert found.level == "fail"
    assert str(tmp_path / "empty") in found.said
