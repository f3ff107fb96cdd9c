"""Who is let in, and that a database which hangs or is away takes nobody with it."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DataError, OperationalError, ProgrammingError

from gateway.adapters import migrate
from gateway.adapters.admin_tokens import AdminTokens
from gateway.adapters.database import open_engine, write_transaction
from gateway.adapters.directory import Directory
from gateway.app.admin.office import NEIGHBOUR, ROOT, THREADS_MAX, Door, Office
from gateway.app.attempts import FailedAttempts
from gateway.config.callers import Tenants
from gateway.core.errors import (
    InvalidRequest,
    LedgerUnavailable,
    TooManyFailedAttempts,
    Unauthorized,
)
from gateway.core.grant import READ, Grant
from gateway.core.price_book import PriceBook
from tests.journeys.stage import body, now_us, stage

NO_PRICES = PriceBook(version="none", cards={})
HERE = (b"host", b"127.0.0.1:8080")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = open_engine(f"sqlite:///{tmp_path}/gateway.db")
    migrate.upgrade(opened)
    yield opened
    opened.dispose()


def office(engine: Engine, *, root: str = "", is_local: bool = True) -> Office:
    door = Door(
        root_token=lambda: root, is_local=is_local, attempts=FailedAttempts(per_minute_max=3)
    )
    return Office(engine=engine, now_us=now_us, door=door, files=NO_PRICES, given=Tenants())


def bearer(text: str) -> tuple[bytes, bytes]:
    return b"authorization", f"Bearer {text}".encode()


async def admitted(at: Office, *headers: tuple[bytes, bytes], is_reading: bool = True) -> Grant:
    return await at.admit([*headers], peer="192.0.2.1", is_reading=is_reading)


async def test_the_operator_is_let_in(engine: Engine) -> None:
    assert await admitted(office(engine, root="secret"), bearer("secret")) is ROOT


@pytest.mark.parametrize("shown", ["", "secre", "secret ", "secrét", "SECRET"])
async def test_what_is_almost_a_token_is_none(engine: Engine, shown: str) -> None:
    at = office(engine, root="secret")
    header = b"authorization", b"Basic secret" if shown == "secret " else bearer(shown)[1]
    with pytest.raises(Unauthorized):
        await admitted(at, header)


async def test_without_a_token_of_the_operators_the_empty_one_is_none(engine: Engine) -> None:
    with pytest.raises(Unauthorized):
        await admitted(office(engine), bearer(""))


async def test_a_created_token_is_let_in_until_it_is_revoked(engine: Engine) -> None:
    Directory(engine=engine, now_us=now_us).create_tenant("acme")
    tokens = AdminTokens(engine=engine, now_us=now_us)
    token = tokens.create([READ], tenant="acme", name="lead")
    at = office(engine)
    grant = await admitted(at, bearer(token.text))
    assert grant == Grant(by=f"token {token.id} (lead)", tenant="acme", scopes=frozenset({READ}))
    assert await at.session_grant(token.id) == grant
    tokens.revoke(token.id)
    assert await at.session_grant(token.id) is None
    with pytest.raises(Unauthorized):
        await admitted(at, bearer(token.text))


async def test_this_machine_may_read_while_there_is_no_token(engine: Engine) -> None:
    at = office(engine)
    for host in (b"127.0.0.1", b"localhost:8080", b"[::1]:8080"):
        assert await admitted(at, (b"host", host)) is NEIGHBOUR
    with pytest.raises(Unauthorized, match="gateway tokens create"):
        await admitted(at, HERE, is_reading=False)
    AdminTokens(engine=engine, now_us=now_us).create([READ])
    with pytest.raises(Unauthorized):
        await admitted(at, HERE)


@pytest.mark.parametrize(
    ("how", "headers"),
    [
        ({"root": "secret"}, [HERE]),
        ({"is_local": False}, [HERE]),
        ({}, [(b"host", b"rebound.example")]),
        ({}, [(b"host", b"127.0.0.1.rebound.example:8080")]),
        ({}, []),
        ({}, [HERE, HERE]),
        ({}, [HERE, (b"x-forwarded-for", b"127.0.0.1")]),
    ],
)
async def test_nobody_else_may(
    engine: Engine, how: dict[str, Any], headers: list[tuple[bytes, bytes]]
) -> None:
    with pytest.raises(Unauthorized):
        await admitted(office(engine, **how), *headers)


async def test_whoever_guesses_has_few_tries(engine: Engine) -> None:
    at = office(engine, root="secret")
    for _ in range(3):
        with pytest.raises(Unauthorized):
            await admitted(at, bearer("guess"))
    with pytest.raises(TooManyFailedAttempts):
        await admitted(at, bearer("guess"))


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OperationalError("", None, sqlite3.OperationalError("away")), LedgerUnavailable),
        (DataError("", None, sqlite3.DataError("NUL")), InvalidRequest),
        (ProgrammingError("", None, sqlite3.ProgrammingError("ours")), ProgrammingError),
    ],
)
async def test_what_a_database_says_no_to_is_told(
    engine: Engine, error: Exception, told: type[Exception]
) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(told):
        await office(engine).run(fail)


async def test_what_hangs_is_not_waited_for(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.app.admin.office.ANSWER_SECONDS_MAX", 0.05)
    gate, others = threading.Event(), {*threading.enumerate()}
    at = office(engine)
    try:
        for _ in range(2 * THREADS_MAX):
            with pytest.raises(LedgerUnavailable, match="may still be done"):
                await at.run(gate.wait)
        assert len({*threading.enumerate()} - others) == THREADS_MAX
    finally:
        gate.set()
        at.close()


@asynccontextmanager
async def locked(engine: Engine) -> AsyncIterator[None]:
    """A database that takes no writer, for as long as the block lasts."""
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with write_transaction(engine):
            inside.set()
            leave.wait()

    holding = asyncio.get_running_loop().run_in_executor(None, hold)
    await asyncio.to_thread(inside.wait)
    try:
        yield
    finally:
        leave.set()
        await holding


async def test_a_database_that_hangs_takes_only_the_admin_api(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.app.admin.office.ANSWER_SECONDS_MAX", 0.2)
    sections = {"admin": {"token": "secret"}, "ledger": {"outage": "journal"}}
    async with stage(tmp_path, **sections) as on, on.client() as client:
        url = f"http://127.0.0.1:{on.port}"
        root = {"authorization": "Bearer secret"}
        assert (await on.post(body())).status_code == 200, "its key is known from now on"
        async with locked(on.engine):
            told = [
                client.post(f"{url}/admin/v1/tenants", json={"path": f"t{n}"}, headers=root)
                for n in range(2 * THREADS_MAX)
            ]
            for answer in await asyncio.gather(*told):
                assert (answer.status_code, answer.json()["code"]) == (503, "ledger_unavailable")
                assert answer.headers["content-type"] == "application/problem+json"
            streamed = await on.post(body())
            assert streamed.status_code == 200, "what it costs is in the journal"
        await on.settled(2)
