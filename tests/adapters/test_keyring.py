"""The database's word about a key."""

import pytest
from sqlalchemy import Engine

from gateway.adapters.directory import Directory
from gateway.adapters.keyring import Finding, find_key
from gateway.core.tenant import Tenant, digest
from tests.builders import AT_US


@pytest.fixture
def directory(engine: Engine) -> Directory:
    made = Directory(engine=engine, now_us=lambda: AT_US)
    made.create_tenant("acme/search")
    return made


def find(engine: Engine, key_id: str) -> Finding:
    with engine.connect() as connection:
        return find_key(connection, key_id)


def test_a_key_that_stands(engine: Engine, directory: Directory) -> None:
    issued = directory.issue_key("acme/search", expires_at_us=AT_US)
    found = find(engine, issued.id)
    assert found.key is not None
    assert found.key.tenant == Tenant(path="acme/search", key_id=issued.id)
    assert found.key.digest == digest(issued.text)
    assert found.key.is_expired(AT_US)
    assert not found.key.is_expired(AT_US - 1)
    assert found.newest == 3  # two tenants and a key


def test_a_key_without_an_end_never_expires(engine: Engine, directory: Directory) -> None:
    found = find(engine, directory.issue_key("acme").id)
    assert found.key is not None
    assert not found.key.is_expired(2 * AT_US)


def test_a_key_that_fell(engine: Engine, directory: Directory) -> None:
    issued = directory.issue_key("acme/search")
    directory.suspend("acme")
    assert find(engine, issued.id).key is None
    directory.resume("acme")
    assert find(engine, issued.id).key is not None
    directory.revoke_key(issued.id)
    assert find(engine, issued.id).key is None
    assert find(engine, "nobody").key is None
