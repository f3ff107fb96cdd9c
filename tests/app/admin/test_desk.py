"""What exists for a caller, and that only its own verbs are its own: beside the table of routes."""

import pytest

from gateway.adapters.audit import audit_rows
from gateway.app.admin.desk import Desk, refusals
from gateway.core.errors import InvalidRequest, NotFound
from gateway.core.grant import READ, SCOPES, Grant
from tests.app.admin.scene import ABOVE, OURS, THEIRS, Scene


def desk(on: Scene, tenant: str | None = OURS) -> Desk:
    grant = Grant(by="token x (lead)", tenant=tenant, scopes=frozenset(SCOPES))
    office = on.on.server.config.loaded_app.routes[-1].app._office
    return Desk(office=office, grant=grant)


async def test_what_is_not_within_is_not_there(on: Scene) -> None:
    ours = desk(on)
    assert ours.tenant(OURS).path == OURS
    assert ours.key(on.ours.key_id).tenant == OURS
    assert ours.owner(on.ours.key_id).tenant == OURS
    assert ours.within(None) == ours.within(OURS) == OURS
    for path in (THEIRS, ABOVE, "nobody"):
        for ask in (ours.tenant, ours.owner, ours.within, ours.key):
            with pytest.raises(NotFound):
                ask(path)
    with pytest.raises(NotFound):
        ours.key(on.theirs.key_id)
    assert desk(on, None).within(None) is None


async def test_its_verbs_are_done_in_its_name(on: Scene) -> None:
    desk(on).directory.suspend(OURS)
    desk(on).directory.resume(OURS)
    desk(on).policies.change(OURS, given={"store": "deny"})
    assert {row.deed.author for row in audit_rows(on.engine, limit=3)} == {"token x (lead)"}


def test_what_a_verb_refuses_is_an_error_of_the_api() -> None:
    with pytest.raises(InvalidRequest, match="cannot be"), refusals():
        raise ValueError("this cannot be")
    with pytest.raises(KeyError), refusals():
        raise KeyError("a mistake of ours")
    assert READ in SCOPES
