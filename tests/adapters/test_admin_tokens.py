"""Tokens of administrators: found while they are in force, kept as digests only."""

import pytest
from sqlalchemy import Engine, select

from gateway.adapters.admin_schema import admin_token
from gateway.adapters.admin_tokens import AdminTokens, TokenUnknown, token_document
from gateway.adapters.directory import Directory, TenantUnknown
from gateway.core.grant import KEYS, READ, Grant
from tests.adapters.conftest import now_us


@pytest.fixture
def tokens(engine: Engine) -> AdminTokens:
    Directory(engine=engine, now_us=now_us).create_tenant("acme/search")
    return AdminTokens(engine=engine, now_us=now_us)


def test_it_is_found_by_its_text_and_by_its_id(tokens: AdminTokens) -> None:
    token = tokens.create([KEYS, READ], tenant="acme/search", name="lead")
    assert token.text.startswith(f"gwa_{token.id}_")
    assert token.scopes == (READ, KEYS)
    grant = Grant(
        by=f"token {token.id} (lead)", tenant="acme/search", scopes=frozenset({READ, KEYS})
    )
    assert tokens.find(token.text) == grant == tokens.find_by_id(token.id)


def test_without_a_tenant_it_is_the_whole_gateways(tokens: AdminTokens) -> None:
    token = tokens.create([READ])
    grant = tokens.find(token.text)
    assert grant is not None
    assert (grant.by, grant.tenant) == (f"token {token.id}", None)


def test_what_is_almost_one_is_none(tokens: AdminTokens) -> None:
    text = tokens.create([READ]).text
    other = tokens.create([READ]).text
    forged = text[:17] + other[17:]  # one's id with another's secret: the checksum does not fit
    for shown in ("", text[:-1], text + "x", text.replace("gwa_", "gw_"), text.upper(), forged):
        assert tokens.find(shown) is None, shown


def test_anothers_secret_does_not_open_it(tokens: AdminTokens, engine: Engine) -> None:
    token = tokens.create([READ])
    with engine.begin() as connection:
        connection.execute(admin_token.update().values(digest=b"another's"))
    assert tokens.find(token.text) is None


def test_a_tenants_key_is_none(tokens: AdminTokens, engine: Engine) -> None:
    key = Directory(engine=engine, now_us=now_us).issue_key("acme/search")
    assert tokens.find(key.text) is None


def test_it_ends_at_once(tokens: AdminTokens) -> None:
    token = tokens.create([READ])
    assert tokens.has_any()
    tokens.revoke(token.id)
    assert tokens.find(token.text) is None
    assert tokens.find_by_id(token.id) is None
    assert not tokens.has_any()
    for unknown in (token.id, "0123456789ab"):
        with pytest.raises(TokenUnknown):
            tokens.revoke(unknown)


def test_it_ends_by_itself(engine: Engine) -> None:
    clock = [1_000]
    tokens = AdminTokens(engine=engine, now_us=lambda: clock[0])
    token = tokens.create([READ], expires_at_us=2_000)
    assert tokens.find(token.text) is not None
    clock[0] = 2_000
    assert tokens.find(token.text) is None
    assert not tokens.has_any()


def test_what_cannot_be_is_refused(tokens: AdminTokens) -> None:
    with pytest.raises(TenantUnknown):
        tokens.create([READ], tenant="nobody")
    with pytest.raises(ValueError, match="foo is no scope"):
        tokens.create(["foo"])
    with pytest.raises(ValueError, match="prices are the whole gateway's"):
        tokens.create(["prices"], tenant="acme")


def test_no_secret_is_kept_or_printed(tokens: AdminTokens, engine: Engine) -> None:
    token = tokens.create([READ], name="lead")
    secret = token.text.removeprefix(f"gwa_{token.id}_")
    assert secret not in repr(token)
    with engine.connect() as connection:
        rows = repr(connection.execute(select(admin_token)).all())
    assert secret not in rows


def test_its_document_has_names_that_stay(tokens: AdminTokens) -> None:
    token = tokens.create([READ, KEYS], tenant="acme/search", name="lead")
    (row,) = tokens.list_tokens()
    said = token_document(row)
    assert said == {
        "id": token.id,
        "tenant": "acme/search",
        "name": "lead",
        "scopes": ["read", "keys"],
        "created_at": said["created_at"],
        "expires_at": None,
        "revoked_at": None,
    }
