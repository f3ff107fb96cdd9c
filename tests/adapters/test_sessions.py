"""Sessions: found by a secret that the database does not have, for as long as they last."""

from sqlalchemy import Engine, select

from gateway.adapters.console_schema import console_session
from gateway.adapters.sessions import Sessions, form_token, seal_of

HOUR_US = 3_600_000_000


def test_a_session_is_found_by_its_secret_and_by_nothing_else(engine: Engine) -> None:
    sessions = Sessions(engine=engine, now_us=lambda: 5, seconds=3600)
    secret, other = sessions.begin("root", "token"), sessions.begin("root", "token")
    assert len({secret, other}) == 2
    found = sessions.find(secret)
    assert found is not None
    assert (found.credential, found.seal) == ("root", seal_of(secret, "token"))
    assert sessions.find(secret[:-1]) is None
    sessions.end(secret)
    assert (sessions.find(secret), sessions.find(other) is not None) == (None, True)


def test_it_ends_in_time_and_is_deleted_with_the_next_login(engine: Engine) -> None:
    now = [0]
    sessions = Sessions(engine=engine, now_us=lambda: now[0], seconds=3600)
    secret = sessions.begin("root", "token")
    now[0] = HOUR_US - 1
    assert sessions.find(secret) is not None
    now[0] = HOUR_US
    assert sessions.find(secret) is None
    sessions.begin("root", "token")
    with engine.connect() as connection:
        assert len(connection.execute(select(console_session)).all()) == 1


def test_the_database_has_neither_the_secret_nor_the_token(engine: Engine) -> None:
    sessions = Sessions(engine=engine, now_us=lambda: 5, seconds=3600)
    secret = sessions.begin("root", "the-token-itself")
    with engine.connect() as connection:
        row = connection.execute(select(console_session)).one()
    kept = b"".join(cell if isinstance(cell, bytes) else str(cell).encode() for cell in row)
    assert secret.encode() not in kept
    assert b"the-token-itself" not in kept


def test_a_form_s_token_is_of_one_session_and_no_seal() -> None:
    assert form_token("a") != form_token("b")
    assert form_token("a") not in (seal_of("a", "form").hex(), seal_of("a", "").hex())
