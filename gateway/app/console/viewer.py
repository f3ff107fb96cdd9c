"""Who looks at the console, and at what: the whole gateway, or one tenant with all below it.

Not here: how somebody shows who they are (`gate`).
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gateway.adapters.admin_tokens import AdminTokens
from gateway.core.errors import NotFound
from gateway.core.grant import READ, TOKEN_PREFIX, Grant
from gateway.core.tenant import present


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer(Grant):
    """Somebody who looks, by what their token gives."""

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
    """Who knows the credentials. All may read a database: they are called in a thread."""

    def shown(self, token: str) -> Known | None:
        """Whose token this is."""

    def named(self, credential: str) -> Known | None:
        """The credential of this name, while it is in force."""

    def has_any(self) -> bool:
        """Whether somebody has one, who then has to show it."""


class Tokens:
    """The operator's own token, from a setting, and those that were created."""

    ROOT = "root"

    def __init__(self, root: Callable[[], str], created: AdminTokens) -> None:
        self._root = root
        self._created = created

    def shown(self, token: str) -> Known | None:
        root = self._root()
        if root and hmac.compare_digest(token.encode(), root.encode()):
            return self.named(self.ROOT)
        presented = present(token, prefix=TOKEN_PREFIX)
        found = None if presented is None else self._created.find(token)
        return None if presented is None or found is None else _known(presented.id, found)

    def named(self, credential: str) -> Known | None:
        root = self._root()
        if credential == self.ROOT:
            known = Known(credential=credential, proof=root, viewer=OPERATOR)
            return known if root else None
        found = self._created.find_by_id(credential)
        return None if found is None else _known(credential, found)

    def has_any(self) -> bool:
        return bool(self._root()) or self._created.has_any()


def _known(token_id: str, grant: Grant) -> Known:
    viewer = Viewer(by=grant.by, tenant=grant.tenant, scopes=grant.scopes)
    return Known(credential=token_id, proof=token_id, viewer=viewer)


OPERATOR = Viewer(by="the operator's token", tenant=None, scopes=frozenset({READ}))
