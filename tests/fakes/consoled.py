"""A console over real sockets, whose credentials a test chooses. Not here: what it shows."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from fastapi import FastAPI
from sqlalchemy import Engine

from gateway.adapters.database import open_engine
from gateway.adapters.migrate import upgrade
from gateway.adapters.pricefile import load_prices
from gateway.adapters.sessions import Sessions
from gateway.app.attempts import FailedAttempts
from gateway.app.console.gate import Gate
from gateway.app.console.page import Sources
from gateway.app.console.router import console_router
from gateway.app.console.viewer import OPERATOR, Known, Viewer
from gateway.app.errors import answer
from gateway.app.live import Live
from gateway.app.server import listen, make_server
from gateway.core.errors import GatewayError
from gateway.core.grant import READ
from gateway.core.price_book import PriceBook
from tests.journeys.stage import now_us, serving_app, settings_for

ROOT, SCOPED, KEYS_ONLY = "root-token", "token-of-acme", "token-without-read"
BOOK = load_prices()


@dataclass
class Tokens:
    """Credentials as a test wants them; a proof can be changed, a token forgotten."""

    known: dict[str, Known] = field(default_factory=dict)

    def add(self, token: str, viewer: Viewer) -> None:
        self.known[token] = Known(credential=f"id-of-{token}", proof=token, viewer=viewer)

    def shown(self, token: str) -> Known | None:
        return self.known.get(token)

    def has_any(self) -> bool:
        return bool(self.known)

    def named(self, credential: str) -> Known | None:
        return next((one for one in self.known.values() if one.credential == credential), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consoled:
    """Where it is, and what is behind it."""

    url: str
    engine: Engine
    tokens: Tokens
    live: Live
    now: list[int]  # what is added to the clock, in microseconds

    def client(self) -> httpx.AsyncClient:
        """A browser without scripts: it keeps cookies."""
        return httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=30)

    async def get(self, path: str, token: str = ROOT) -> httpx.Response:
        """A page, by a program that shows its token."""
        async with self.client() as client:
            return await client.get(path, headers={"authorization": f"Bearer {token}"})


@asynccontextmanager
async def consoled(
    folder: Path, *, is_open: bool = False, attempts_max: int = 5
) -> AsyncIterator[Consoled]:
    """A console of an empty database."""
    settings = settings_for(folder, "http://127.0.0.1:9/v1")
    engine = open_engine(settings.database.url, synchronous="NORMAL")
    upgrade(engine)
    tokens, live, shift = Tokens(), Live(), [0]
    if not is_open:
        tokens.add(ROOT, OPERATOR)
        tokens.add(SCOPED, Viewer(by="a lead", tenant="acme", scopes=frozenset({READ})))
        tokens.add(KEYS_ONLY, Viewer(by="a job", tenant=None, scopes=frozenset({"keys"})))

    def clock() -> int:
        return now_us() + shift[0]

    async def book() -> PriceBook:
        return BOOK

    gate = Gate(
        sessions=Sessions(engine=engine, now_us=clock, seconds=3600),
        credentials=tokens,
        attempts=FailedAttempts(per_minute_max=attempts_max, is_sparing=False),
        is_local=is_open,
    )
    app = FastAPI(openapi_url=None, redirect_slashes=False)
    app.add_exception_handler(GatewayError, answer)
    sources = Sources(engine=engine, now_us=clock, rows_max=100)
    app.include_router(console_router(sources, gate=gate, live=live, book=book))
    listeners = listen(settings)
    port = listeners[0].getsockname()[1]
    async with serving_app(make_server(app, settings), listeners):
        yield Consoled(
            url=f"http://127.0.0.1:{port}", engine=engine, tokens=tokens, live=live, now=shift
        )
    await asyncio.to_thread(engine.dispose)
