"""Who sees what: the whole gateway, or a subtree; and the operator's own token."""

import pytest

from gateway.app.console.viewer import OPERATOR, READ, RootToken, Viewer
from gateway.core.errors import NotFound

LEAD = Viewer(by="a lead", tenant="acme/search", scopes=frozenset({READ}))


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


def test_the_operators_token_is_the_one_that_is_set() -> None:
    token = ["secret"]
    root = RootToken(lambda: token[0])
    known = root.shown("secret")
    assert known is not None
    assert (known.viewer, known.proof) == (OPERATOR, "secret")
    for wrong in ("", "secre", "secret2", "SECRET", "sécret"):
        assert root.shown(wrong) is None
    assert root.named(known.credential) == known
    assert root.named("other") is None
    token[0] = ""
    assert (root.shown(""), root.named(known.credential)) == (None, None)
