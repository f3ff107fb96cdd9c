"""Key to tenant, from memory where it can be, before the body is read."""

from gateway.adapters.tenants import Tenants
from gateway.core.errors import InvalidRequest, Unauthorized
from gateway.core.headers import Headers
from gateway.core.tenant import PresentedKey, Tenant, present

_HOW = (
    "Send a key of this gateway as 'Authorization: Bearer gw_…'; "
    "its operator creates one with `gateway keys create`."
)


async def authenticate(headers: Headers, tenants: Tenants) -> Tenant:
    """The tenant whose key the request shows. Raises Unauthorized, or InvalidRequest for two."""
    presented = _presented(headers)
    tenant = tenants.cached(presented) or await tenants.lookup(presented)
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
