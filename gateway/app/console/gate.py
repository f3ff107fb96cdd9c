"""Who may come in: a token begins a session, whose cookie is shown from then on.

A session's id is always a new one, and lives as long as its row and its token do. Every form
carries a token that no other site can know; the cookie is sent by no other site at all. Not here:
the routes (`router`), or what is seen (`viewer`).
"""

import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fastapi import Request, Response

from gateway.adapters.sessions import Sessions, form_token, seal_of
from gateway.app.admin.office import FORWARDED
from gateway.app.attempts import FailedAttempts
from gateway.app.console.viewer import OPERATOR, Credentials, Known, Viewer
from gateway.core.address import is_loopback
from gateway.core.errors import NotFound, PolicyDenied, Unauthorized
from gateway.core.grant import READ

SESSION_COOKIE = "gateway_session"
LOGIN_COOKIE = "gateway_login"  # of the form to log in, before there is a session
PATH = "/console"
_TOKEN_CHARACTERS_MAX = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """Somebody who was let in. `secret` None: without a session."""

    viewer: Viewer
    secret: str | None = None

    @property
    def form_token(self) -> str:
        return "" if self.secret is None else form_token(self.secret)


class Gate:
    """`is_local`: only this machine can ask; nobody has to show a token while there is none."""

    def __init__(
        self,
        *,
        sessions: Sessions,
        credentials: Credentials,
        attempts: FailedAttempts,
        is_local: bool,
    ) -> None:
        self._is_local = is_local
        self._sessions = sessions
        self._credentials = credentials
        self._attempts = attempts

    def visit(self, request: Request) -> Visit:
        """Who asks. Raises Unauthorized. In a thread."""
        if self._is_local and not self._credentials.has_any():
            _refuse_others(request)
            return Visit(viewer=OPERATOR)
        shown = request.headers.get("authorization")
        if shown is not None:
            return self._by_header(shown)
        secret = request.cookies.get(SESSION_COOKIE, "")
        session = self._sessions.find(secret) if secret else None
        known = None if session is None else self._credentials.named(session.credential)
        if session is None or known is None:
            raise Unauthorized("Log in with an admin token.")
        if not hmac.compare_digest(session.seal, seal_of(secret, known.proof)):
            raise Unauthorized("The token of this session was replaced: log in with the new one.")
        return Visit(viewer=_reader(known), secret=secret)

    def log_in(self, request: Request, form: Mapping[str, str]) -> str:
        """Begin a session; its secret. Raises Unauthorized, or that too many attempts failed."""
        self._check_form(request, form, LOGIN_COOKIE)
        peer = _peer(request)
        self._attempts.check(peer, request.headers.raw)
        token = form.get("token", "").strip()[:_TOKEN_CHARACTERS_MAX]
        known = self._credentials.shown(token)
        if known is None:
            self._attempts.failed(peer, request.headers.raw)
            raise Unauthorized("This token is unknown, expired or revoked.")
        _reader(known)
        return self._sessions.begin(known.credential, known.proof)

    def log_out(self, request: Request, form: Mapping[str, str]) -> None:
        """End the session of who asks, if there is one."""
        self._check_form(request, form, SESSION_COOKIE)
        self._sessions.end(request.cookies[SESSION_COOKIE])

    def login_secret(self, request: Request) -> str:
        """Of the form to log in; the same in all windows of a browser."""
        return request.cookies.get(LOGIN_COOKIE) or secrets.token_urlsafe(16)

    def set_cookie(self, request: Request, response: Response, name: str, secret: str) -> None:
        """A cookie that no script reads and no other site sends."""
        forwarded = request.headers.get("x-forwarded-proto", "")
        response.set_cookie(
            name,
            secret,
            max_age=round(self._sessions.seconds),
            path=PATH,
            secure="https" in (request.url.scheme, forwarded),
            httponly=True,
            samesite="strict",
        )

    def _by_header(self, shown: str) -> Visit:
        """For programs that fetch a table."""
        scheme, _, token = shown.partition(" ")
        known = self._credentials.shown(token.strip()) if scheme == "Bearer" else None
        if known is None:
            raise Unauthorized("Send the admin token as 'Authorization: Bearer …'.")
        return Visit(viewer=_reader(known))

    def _check_form(self, request: Request, form: Mapping[str, str], cookie: str) -> None:
        secret = request.cookies.get(cookie, "")
        wanted = form_token(secret)
        if not secret or not hmac.compare_digest(
            form.get("form_token", "").encode(), wanted.encode()
        ):
            raise PolicyDenied("This form is not ours, or too old: load the page again.")


def safe_next(path: str) -> str:
    """Where to go after the login: a page of the console, and nowhere else."""
    is_ours = path == PATH or path.startswith((f"{PATH}/", f"{PATH}?"))
    is_plain = path.isascii() and path.isprintable() and "\\" not in path
    return path if is_ours and is_plain else PATH


def first_values(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """A form's fields; of those that are given twice the first."""
    found: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return found


def _reader(known: Known) -> Viewer:
    if READ not in known.viewer.scopes:
        raise Unauthorized("This token may not read, and the console only shows.")
    return known.viewer


def _refuse_others(request: Request) -> None:
    """A site whose name was made to point at this machine is not this machine's owner.

    Nor is whoever stands behind a proxy.
    """
    host = request.headers.get("host", "")
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    is_own_name = name.strip("[]") == "localhost" or is_loopback(name.strip("[]"))
    if not is_own_name or any(header in FORWARDED for header, _ in request.headers.raw):
        raise NotFound("Without an admin token the console answers to localhost only.")


def _peer(request: Request) -> str:
    return "" if request.client is None else request.client.host
