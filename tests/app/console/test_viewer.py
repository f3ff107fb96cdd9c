"""Who sees what: the whole gateway, or a subtree; and the operator's own token."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from gateway.adapters.admin_tokens import AdminTokens
from gateway.adapters.console_schema import metadata
from gateway.adapters.database import open_engine
from gateway.adapters.directory import Directory
from gateway.app.console.viewer import OPERATOR, Tokens, Viewer
from gateway.core.errors import NotFound
from gateway.core.grant import READ

LEAD = Viewer(by="a lead", tenant="acme/search", scopes=frozenset({READ}))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = open_engine(f"sqlite:///{tmp_path / 'gateway.db'}")
    metadata.create_all(opened)
    yield opened
    opened.dispose()


def test_a_subtree_is_a_tenant_and_what_is_below() -> None:
    seen = ["acme/search", "acme/search/ana"]
    others = ["acme", "acme/search-x", "acme/support", "globex", ""]
    assert [name for name in seen + others if LEAD.sees(name)] == seen
    assert all(OPERATOR.sees(name) for name in seen + others)


def test_what_is_asked_for_is_narrowed() -> None:
    assert (LEAD.narrowed(None), LEAD.narrowed("")) == ("acme/search", "acme/search")
    assert LEAD.narrowed("acme/search/ana") == "acme/search/ana"
    assert (OPERATOR.narrowed(None), OPERATOR.narrowed("globex")) == (None, "globex")
    for foreign in ("acme", "globex", "acme/search-x"):
        with pytest.raises(NotFound):
            LEAD.narrowed(foreign)


def test_the_operators_token_is_the_one_that_is_set(engine: Engine) -> None:
    token = ["secret"]
    tokens = Tokens(lambda: token[0], AdminTokens(engine=engine, now_us=lambda: 5))
    known = tokens.shown("secret")
    assert known is not None
    assert (known.viewer, known.proof, tokens.has_any()) == (OPERATOR, "secret", True)
    for wrong in ("", "secre", "secret2", "SECRET", "s\u00e9cret", "gwa_"):
        assert tokens.shown(wrong) is None
    assert tokens.named(known.credential) == known
    assert tokens.named("other") is None
    token[0] = ""
    assert (tokens.shown(""), tokens.named(known.credential)) == (None, None)
    assert not tokens.has_any()


def test_a_token_that_was_created_sees_its_subtree_until_it_is_revoked(engine: Engine) -> None:
    created = AdminTokens(engine=engine, now_us=lambda: 5)
    Directory(engine=engine, now_us=lambda: 5).create_tenant("acme/search")
    issued = created.create([READ], tenant="acme")
    tokens = Tokens(lambda: "", created)
    known = tokens.shown(issued.text)
    assert known is not None
    assert (known.credential, known.viewer.tenant, tokens.has_any()) == (issued.id, "acme", True)
    assert tokens.named(issued.id) == known
    created.revoke(issued.id)
    assert (tokens.shown(issued.text), tokens.named(issued.id)) == (None, None)
    assert not tokens.has_any()
