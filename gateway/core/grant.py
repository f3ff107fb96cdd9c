"""What an administrator's token may do, and whose tenants it may see.

A token is of the whole gateway, or of one tenant with all below it: to that one nothing else
exists. Not here: finding a token (`adapters.admin_tokens`).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.core.errors import NotFound, ScopeMissing
from gateway.core.tenant import ancestry

TOKEN_PREFIX = "gwa"  # noqa: S105 - what every token begins with

READ = "read"
KEYS = "keys"
WRITE = "write"
OWN = "own"
PRICES = "prices"
SCOPES = {
    READ: "see tenants, keys, policies, budgets, holds, usage, requests, alerts and the audit",
    KEYS: "create, rotate and revoke keys",
    WRITE: "change tenants, policies and budgets: of a token's tenant, all below it",
    OWN: "with write: the policy, the budgets and the suspension of the token's own tenant too",
    PRICES: "set prices, which are the whole gateway's",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a token gives to who shows it. `tenant` None: the whole gateway."""

    by: str  # who it is, as the audit tells it
    tenant: str | None
    scopes: frozenset[str]

    def sees(self, tenant: str | None) -> bool:
        """Whether what belongs to this tenant exists for it. None: what is the whole gateway's."""
        if self.tenant is None:
            return True
        return tenant is not None and self.tenant in ancestry(tenant)


def scopes_of(names: Iterable[str]) -> frozenset[str]:
    """Scopes as they are written. ValueError says which there are."""
    scopes = frozenset(name.strip() for name in names)
    unknown = sorted(scopes - SCOPES.keys())
    if unknown or not scopes:
        raise ValueError(f"{', '.join(unknown) or 'nothing'} is no scope; use {', '.join(SCOPES)}")
    return scopes


def authorize(grant: Grant, scope: str, tenant: str | None = None) -> None:
    """Let pass who may do this with what belongs to a tenant. None: it is the whole gateway's.

    Raises ScopeMissing, the same whatever exists; then NotFound, the same whether the tenant
    exists elsewhere or nowhere. Reads across tenants ask for the scope here, and are narrowed to
    `grant.tenant`.
    """
    require(grant, scope)
    if tenant is None and grant.tenant is not None:
        raise ScopeMissing(
            "This belongs to the whole gateway: it takes a token that was created without --tenant."
        )
    if not grant.sees(tenant):
        raise NotFound(f"There is no tenant {tenant!r} here.")


def authorize_limits(grant: Grant, tenant: str, *, is_key: bool) -> None:
    """The same for what limits a tenant or one of its keys, which is written.

    A token does not loosen what others set on its own tenant, without the scope for it.
    """
    authorize(grant, WRITE, tenant)
    if tenant == grant.tenant and not is_key and OWN not in grant.scopes:
        raise ScopeMissing(
            f"What limits {tenant} itself is set from above: it takes the scope {OWN!r}, or a token"
            " of a tenant above."
        )


def require(grant: Grant, scope: str) -> None:
    """Raise ScopeMissing where a token lacks a scope."""
    if scope not in grant.scopes:
        raise ScopeMissing(
            f"This takes the scope {scope!r}; the token has {', '.join(sorted(grant.scopes))}."
        )
