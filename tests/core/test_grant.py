"""What a token may do, and whose tenants it may see."""

import pytest

from gateway.core.errors import GatewayError, NotFound, ScopeMissing
from gateway.core.grant import (
    KEYS,
    OWN,
    READ,
    SCOPES,
    WRITE,
    Grant,
    authorize,
    authorize_limits,
    scopes_of,
)


def grant(*scopes: str, tenant: str | None = "acme/search") -> Grant:
    return Grant(by="test", tenant=tenant, scopes=frozenset(scopes))


@pytest.mark.parametrize("tenant", ["acme/search", "acme/search/ana", "acme/search/ana/x"])
def test_a_subtree_is_a_tenant_and_all_below_it(tenant: str) -> None:
    authorize(grant(READ), READ, tenant)


@pytest.mark.parametrize("tenant", ["acme", "acme/searching", "acme/ads", "search", "", "zeta"])
def test_nothing_else_exists(tenant: str) -> None:
    with pytest.raises(NotFound, match="There is no tenant"):
        authorize(grant(READ), READ, tenant)
    authorize(grant(READ, tenant=None), READ, tenant)


def test_the_scope_is_asked_for_first() -> None:
    for tenant in ("acme/search", "zeta", None):
        with pytest.raises(ScopeMissing, match="takes the scope 'keys'; the token has read"):
            authorize(grant(READ), KEYS, tenant)


def test_what_is_the_whole_gateways_is_no_tenants() -> None:
    with pytest.raises(ScopeMissing, match="without --tenant"):
        authorize(grant(*SCOPES), READ)
    authorize(grant(READ, tenant=None), READ)


@pytest.mark.parametrize(
    ("scopes", "tenant", "is_key", "error"),
    [
        ((WRITE,), "acme/search", False, ScopeMissing),
        ((WRITE,), "acme/search", True, None),
        ((WRITE,), "acme/search/ana", False, None),
        ((WRITE, OWN), "acme/search", False, None),
        ((OWN,), "acme/search", False, ScopeMissing),
        ((WRITE, OWN), "acme", False, NotFound),
        ((WRITE, OWN), "acme/ads", True, NotFound),
    ],
)
def test_what_limits_ones_own_tenant_is_set_from_above(
    scopes: tuple[str, ...], tenant: str, is_key: bool, error: type[GatewayError] | None
) -> None:
    if error is None:
        authorize_limits(grant(*scopes), tenant, is_key=is_key)
        return
    with pytest.raises(error):
        authorize_limits(grant(*scopes), tenant, is_key=is_key)


def test_scopes_are_known_words() -> None:
    assert scopes_of(["read", " keys"]) == {READ, KEYS}
    with pytest.raises(ValueError, match="admin, foo is no scope; use read, keys"):
        scopes_of(["read", "foo", "admin"])
    for nothing in ([], [""]):
        with pytest.raises(ValueError, match="is no scope"):
            scopes_of(nothing)
