"""The administrator's verbs."""

import pytest
from sqlalchemy import Engine

from gateway.adapters import schema
from gateway.adapters.directory import Directory, KeyUnknown, TenantUnknown
from gateway.core.tenant import digest, present
from tests.builders import AT_US
from tests.fakes import ledgerview


@pytest.fixture
def directory(engine: Engine) -> Directory:
    return Directory(engine=engine, now_us=lambda: AT_US)


def test_a_path_creates_its_parents(directory: Directory, engine: Engine) -> None:
    assert directory.create_tenant("acme/search/ana") == ["acme", "acme/search", "acme/search/ana"]
    assert directory.create_tenant("acme/search/ben") == ["acme/search/ben"]
    assert directory.create_tenant("acme") == []
    assert [row.path for row in directory.list_tenants()] == [
        "acme", "acme/search", "acme/search/ana", "acme/search/ben",
    ]  # fmt: skip
    parents = {row["path"]: row["parent"] for row in ledgerview.rows(engine, schema.tenant)}
    assert (parents["acme"], parents["acme/search/ben"]) == (None, "acme/search")


def test_what_is_no_path_is_refused(directory: Directory) -> None:
    with pytest.raises(ValueError, match="no tenant name"):
        directory.create_tenant("Acme")
    assert directory.list_tenants() == []


def test_a_tenant_is_suspended_and_resumed(directory: Directory) -> None:
    directory.create_tenant("acme")
    directory.suspend("acme")
    assert directory.list_tenants()[0].suspended_at_us == AT_US
    directory.resume("acme")
    assert directory.list_tenants()[0].suspended_at_us is None
    with pytest.raises(TenantUnknown, match="'b'"):
        directory.suspend("b")


def test_a_key_is_kept_as_its_digest_alone(directory: Directory, engine: Engine) -> None:
    directory.create_tenant("acme")
    issued = directory.issue_key("acme", name="ci", expires_at_us=AT_US + 1)
    presented = present(issued.text)
    assert presented is not None
    assert presented.id == issued.id
    (row,) = ledgerview.rows(engine, schema.api_key)
    assert row["digest"] == digest(issued.text)
    secret = issued.text.split("_")[2]
    assert secret not in repr(issued)
    assert secret not in repr(row)
    (listed,) = directory.list_keys("acme")
    assert (listed.id, listed.name, listed.expires_at_us) == (issued.id, "ci", AT_US + 1)
    assert directory.list_keys("other") == []


def test_no_two_keys_are_alike(directory: Directory) -> None:
    directory.create_tenant("acme")
    texts = {directory.issue_key("acme").text for _ in range(50)}
    assert len(texts) == len({text[:15] for text in texts}) == 50
    assert {len(text) for text in texts} == {65}


def test_a_key_wants_a_tenant(directory: Directory) -> None:
    with pytest.raises(TenantUnknown, match="create it first"):
        directory.issue_key("acme")


def test_a_revoked_key_is_not_to_be_revoked_or_rotated_again(directory: Directory) -> None:
    directory.create_tenant("acme")
    issued = directory.issue_key("acme")
    directory.revoke_key(issued.id)
    assert directory.list_keys()[0].revoked_at_us == AT_US
    with pytest.raises(KeyUnknown, match="is revoked"):
        directory.revoke_key(issued.id)
    with pytest.raises(KeyUnknown, match="is revoked"):
        directory.rotate_key(issued.id)
    with pytest.raises(KeyUnknown, match="no key"):
        directory.revoke_key("nobody")


@pytest.mark.parametrize(
    ("expires_at_us", "old_end_us"),
    [(None, AT_US + 60_000_000), (AT_US + 5, AT_US + 5), (2 * AT_US, AT_US + 60_000_000)],
)
def test_a_rotated_key_lives_for_the_overlap_and_no_longer_than_it_would_have(
    directory: Directory, expires_at_us: int | None, old_end_us: int
) -> None:
    directory.create_tenant("acme")
    old = directory.issue_key("acme", name="ci", expires_at_us=expires_at_us)
    new = directory.rotate_key(old.id, overlap_seconds=60)
    keys = {key.id: key for key in directory.list_keys()}
    assert (keys[old.id].expires_at_us, keys[old.id].replaced_by) == (old_end_us, new.id)
    assert (keys[new.id].expires_at_us, keys[new.id].name) == (expires_at_us, "ci")
