"""Key to tenant, from memory where it can be, before the body is read."""

from gateway.adapters.tenants import Tenants
from gateway.app.attempts import FailedAttempts
from gateway.core.errors import InvalidRequest, Unauthorized
from gateway.core.headers import Headers
from gateway.core.tenant import PresentedKey, Tenant, present

_HOW = (
    "Send a key of this gateway as 'Authorization: Bearer gw_…'; "
    "its operator creates one with `gateway keys create`."
)


class Authenticator:
    """Finds whose key a request shows."""

    def __init__(self, *, tenants: Tenants, attempts: FailedAttempts) -> None:
        self._tenants = tenants
        self._attempts = attempts

    async def tenant_of(self, headers: Headers, *, peer: str) -> Tenant:
        """The tenant of the key; `peer` is the address at the connection's other end.

        Raises Unauthorized, TooManyFailedAttempts instead of it, or InvalidRequest for two keys.
        """
        try:
            presented = _presented(headers)
            tenant = self._tenants.cached(presented)
            return tenant or await self._looked_up(presented, headers, peer)
        except Unauthorized:
            self._attempts.check(peer, headers)
            self._attempts.failed(peer, headers)
            raise

    async def _looked_up(self, presented: PresentedKey, headers: Headers, peer: str) -> Tenant:
        if not self._tenants.is_known(presented):
            self._attempts.check(peer, headers)
        tenant = await self._tenants.lookup(presented)
        if tenant is None:
            raise Unauthorized(f"The API key is unknown, expired, revoked or suspended. {_HOW}")
        return tenant


def _presented(headers: Headers) -> PresentedKey:
    shown = [value for name, value in headers if name == b"authorization"]
    if len(shown) > 1:
        raise InvalidRequest("Send exactly one Authorization header.", code="invalid_headers")
    scheme, _, key = (shown[0] if shown else b"").decode("latin-1").partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthorized(f"No API key was sent. {_HOW}")
    presented = present(key.strip())
    if presented is None:
        raise Unauthorized(f"The API key is malformed. {_HOW}")
    return presented
