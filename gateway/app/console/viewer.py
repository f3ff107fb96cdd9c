"""Who looks at the console, and at what: the whole gateway, or one tenant with all below it.

Not here: how somebody shows who they are (`gate`).
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gateway.core.errors import NotFound

READ = "read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Somebody who looks. `tenant` None: at the whole gateway."""

    by: str
    tenant: str | None
    scopes: frozenset[str]

    def sees(self, tenant: str) -> bool:
        """Whether what belongs to this tenant exists for them."""
        is_below = self.tenant is not None and tenant.startswith(f"{self.tenant}/")
        return self.tenant is None or tenant == self.tenant or is_below

    def narrowed(self, wanted: str | None) -> str | None:
        """The tenant to ask for: what is wanted, else all that they see. Raises NotFound."""
        if not wanted:
            return self.tenant
        if not self.sees(wanted):
            raise NotFound(f"There is no tenant {wanted!r} here.")
        return wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A credential that is in force, and who has it. `proof` changes when it is replaced."""

    credential: str
    proof: str
    viewer: Viewer


class Credentials(Protocol):
    """Who knows the credentials. Both may read a database: they are called in a thread."""

    def shown(self, token: str) -> Known | None:
        """Whose token this is."""

    def named(self, credential: str) -> Known | None:
        """The credential of this name, while it is in force."""


class RootToken:
    """The operator's own token, from a setting: it sees all."""

    NAME = "root"

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token

    def shown(self, token: str) -> Known | None:
        wanted = self._token()
        is_right = bool(wanted) and hmac.compare_digest(token.encode(), wanted.encode())
        return self._known(wanted) if is_right else None

    def named(self, credential: str) -> Known | None:
        wanted = self._token()
        return self._known(wanted) if wanted and credential == self.NAME else None

    def _known(self, token: str) -> Known:
        return Known(credential=self.NAME, proof=token, viewer=OPERATOR)


OPERATOR = Viewer(by="the operator", tenant=None, scopes=frozenset({READ}))
