"""Two teams of one gateway that know nothing of each other, and how to ask the admin API.

Everything is real: the gateway, its sockets, its database, the requests that both have made.
"""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Engine, insert

from gateway.adapters import schema
from gateway.adapters.admin_schema import admin_token
from gateway.adapters.admin_tokens import AdminTokens
from gateway.adapters.budgets import Budgets, Given
from gateway.adapters.clock import database_us
from gateway.adapters.directory import Directory
from gateway.adapters.ledger import Ledger
from gateway.adapters.policies import Policies
from gateway.core.grant import READ, SCOPES
from gateway.core.money import PUSD_PER_USD
from tests.builders import exchange, hold
from tests.fakes import postgres
from tests.journeys.stage import Stage, now_us, stage

ROOT_TOKEN = "operators-token-of-this-test"
OURS, THEIRS, ABOVE = "acme/search", "acme/ads", "acme"
LIMIT = Given(limit_pusd=PUSD_PER_USD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """What belongs to one tenant."""

    tenant: str
    key_id: str
    budget_id: str
    request_id: str
    hold_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A gateway with two teams. `url` is the admin API's."""

    on: Stage
    engine: Engine
    url: str
    client: httpx.AsyncClient
    ours: Team
    theirs: Team

    def token(self, *scopes: str, tenant: str | None = OURS) -> str:
        """A new token's text; without scopes it has all. No verb gives a tenant's one `prices`."""
        token = AdminTokens(engine=self.engine, now_us=now_us).create([READ], tenant=tenant)
        with self.engine.begin() as connection:
            connection.execute(
                admin_token.update()
                .where(admin_token.c.id == token.id)
                .values(scopes=",".join(scopes or SCOPES))
            )
        return token.text

    async def ask(
        self, method: str, path: str, *, token: str | None = ROOT_TOKEN, **how: Any
    ) -> httpx.Response:
        """One request, as a program would send it."""
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        headers |= how.pop("headers", {})
        return await self.client.request(method, self.url + path, headers=headers, **how)

    async def read(self, path: str, **how: Any) -> Any:
        """What a path says; anything but success fails."""
        told = await self.ask("GET", path, **how)
        assert told.status_code == 200, told.text
        return told.json()


@asynccontextmanager
async def scene(folder: Path, kind: str = "sqlite", **sections: Any) -> AsyncIterator[Scene]:
    """A gateway on a database of this kind, with both teams in it."""
    with ExitStack() as stack:
        database = {}
        if kind == "postgres":
            database = {"url": stack.enter_context(postgres.database(is_empty=True))}
        given = {"admin": {"token": ROOT_TOKEN}, "database": database, **sections}
        async with (
            stage(folder, **given) as on,
            httpx.AsyncClient(trust_env=False, timeout=30) as client,
            _ledger(on.engine) as ledger,
        ):
            yield Scene(
                on=on,
                engine=on.engine,
                url=f"http://127.0.0.1:{on.port}/admin/v1",
                client=client,
                ours=await _team(on.engine, ledger, OURS),
                theirs=await _team(on.engine, ledger, THEIRS),
            )


@asynccontextmanager
async def _ledger(engine: Engine) -> AsyncIterator[Ledger]:
    """Of another process that lives: its holds are nobody else's."""
    ledger = Ledger(engine=engine, owner_id="neighbour", now_us=now_us)
    ledger.start()
    yield ledger
    await ledger.aclose()


async def _team(engine: Engine, ledger: Ledger, tenant: str) -> Team:
    directory = Directory(engine=engine, now_us=now_us)
    directory.create_tenant(tenant)
    key = directory.issue_key(tenant, name="laptop")
    budgets = Budgets(engine=engine, now_us=now_us)
    if not budgets.list_budgets(ABOVE):
        budgets.set_budget(ABOVE, period="month", given=LIMIT)
    budget = budgets.set_budget(tenant, period="month", given=LIMIT)
    Policies(engine=engine, now_us=now_us).change(tenant, given={"store": "deny"})
    request_id, hold_id = await _holds(ledger, tenant, key.id)
    _alert(engine, budget.id)
    return Team(
        tenant=tenant,
        key_id=key.id,
        budget_id=budget.id,
        request_id=request_id,
        hold_id=hold_id,
    )


async def _holds(ledger: Ledger, tenant: str, key_id: str) -> tuple[str, str]:
    """One request that has ended, and one that is under way."""
    ended, open_ = (hold(tenant=tenant, key_id=key_id, created_at_us=now_us()) for _ in range(2))
    await ledger.hold(ended)
    await ledger.hold(open_)
    await ledger.settle(exchange(hold=ended))
    return ended.request_id, open_.request_id


def _alert(engine: Engine, budget_id: str) -> None:
    with engine.begin() as connection:
        period = schema.budget_period.c
        start_us = (
            connection.execute(schema.budget_period.select().where(period.budget_id == budget_id))
            .one()
            .period_start_us
        )
        at_us = database_us(connection) or now_us()
        connection.execute(
            insert(schema.alert).values(
                budget_id=budget_id, period_start_us=start_us, threshold_pct=80, at_us=at_us
            )
        )
