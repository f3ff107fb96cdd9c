"""The two planes of one application, and which of them a request meets. Not here: what they do.

A request under `/v1/` goes to the data plane before FastAPI sees it: that costs a third of a
microsecond, and no middleware of the control plane can slow a stream. All else (`/livez`,
`/readyz`, `/metrics`, and on the data plane's port a key's own view) is an ordinary FastAPI route.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI

from gateway.app.bodies import Receive
from gateway.app.connection import CONNECTION
from gateway.app.errors import refuse
from gateway.app.health import PROBES
from gateway.app.own import PATHS as OWN
from gateway.app.proxy import Scope
from gateway.app.relay import Send
from gateway.core.errors import NotFound

PREFIX = "/v1/"


class Gateway(FastAPI):
    """A FastAPI application whose data paths never enter FastAPI.

    With an `admin_port` each port has its own: the data plane there, the control plane here, and
    the probes of load balancers on both.
    """

    data_plane: Callable[[Scope, Receive, Send], Awaitable[None]]
    admin_port: int | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        is_admin_port = scope["server"][1] == self.admin_port
        is_own = scope["raw_path"].startswith(OWN)
        is_admin_path = not scope["path"].startswith(PREFIX)
        is_everywhere = self.admin_port is None or scope["raw_path"] in PROBES
        if not is_everywhere and is_admin_path != is_admin_port:
            await refuse(NotFound(), send)
        elif is_admin_path or is_own:
            await super().__call__(scope, receive, send)
        else:
            try:
                await self.data_plane(scope, receive, send)
            finally:
                # It knows of the scope: such a circle would wait for a search for garbage, and with
                # it all that was of the request.
                scope["state"].pop(CONNECTION, None)
