"""Traffic that fills the boards: tenants, cached input, tools, limits of every kind, refusals.

Round after round through a real gateway; the simulator plays what `[sim: …]` says. Not here: what
is asked about it afterwards.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from sqlalchemy import Engine

from gateway.adapters.budgets import Budgets
from gateway.adapters.directory import Directory
from gateway.adapters.policies import Policies
from gateway.core.money import PUSD_PER_USD
from tests.journeys.stage import now_us

PAUSE_SECONDS = 0.2
CACHED = "[sim: usage=in:5000,cached:4096,write:0,out:40,reasoning:16]"
CUT = "[sim: kind=incomplete; output=20]"
FULL = "[sim: kind=incomplete; usage=in:900,cached:0,write:0,out:128000,reasoning:0]"
LONG = "Count to a thousand. [sim: output=60; slow=10]"
SEARCH = "What is new? [sim: kind=web_search; searches=2]"
FREE, CLAMPED, SHORT, POOR = "acme/search", "acme/support", "globex", "initech"
BUDGETS = {  # by subject: the limit, and whether it binds
    "acme": (1000 * PUSD_PER_USD, False),
    SHORT: (PUSD_PER_USD // 5, True),
    POOR: (0, True),
}
POLICIES: dict[str, dict[str, object]] = {
    CLAMPED: {"max_output_tokens_cap": 64, "over": "clamp", "models": ("gpt-5-mini",)},
    SHORT: {"fit": "clamp"},
}
# Whose key, what is asked, and which answer it gets.
Asked = tuple[str, dict[str, Any], int]
ROUND: tuple[Asked, ...] = (
    *((FREE, {"model": "gpt-5-mini", "input": CACHED}, 200),) * 10,
    *((FREE, {"model": "gpt-6-sol", "input": "Why is the sky blue? [sim: output=30]"}, 200),) * 2,
    (FREE, {"model": "gpt-5-mini", "input": CACHED, "stream": False}, 200),
    (FREE, {"model": "gpt-6-luna", "input": SEARCH, "tools": [{"type": "web_search"}]}, 200),
    (FREE, {"model": "gpt-4.1", "input": CUT, "max_output_tokens": 32}, 200),
    (FREE, {"model": "gpt-5-mini", "input": FULL}, 200),
    (CLAMPED, {"model": "gpt-5-mini", "input": CUT, "max_output_tokens": 500}, 200),
    *((SHORT, {"model": "gpt-4.1", "input": "Hello", "max_output_tokens": 64}, 200),) * 6,
    (SHORT, {"model": "gpt-5-mini", "input": CUT, "max_output_tokens": 128_000}, 200),
    (CLAMPED, {"model": "gpt-4.1", "input": "Hello"}, 400),
    (FREE, {"model": "gpt-of-nobody", "input": "Hello"}, 400),
    (POOR, {"model": "gpt-5-mini", "input": "Hello", "max_output_tokens": 64}, 429),
    ("", {"model": "gpt-5-mini", "input": "Hello"}, 401),
)
UNTOLD: Asked = FREE, {"model": "gpt-5-mini", "input": "Hello [sim: usage=null]"}, 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Who asks, where."""

    base_url: str
    keys: dict[str, str]

    async def round(self) -> None:
        """Everything once; what is not answered as it should be fails."""
        limits = httpx.Limits(max_connections=None)
        async with (
            httpx.AsyncClient(trust_env=False, timeout=30, limits=limits) as client,
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(self._listed(client))
            tasks.create_task(self._left(client))
            for asked in ROUND:
                tasks.create_task(self._asked(client, *asked))

    async def once(self, asked: Asked) -> None:
        """One request by itself, until it is answered."""
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            while not await self._asked(client, *asked):
                pass

    async def _asked(
        self, client: httpx.AsyncClient, tenant: str, fields: dict[str, Any], status: int
    ) -> bool:
        body = {"stream": True, **fields}
        url = f"{self.base_url}/responses"
        reply = await client.post(url, json=body, headers=self._headers(tenant))
        # The machine is busy with other tests: the ledger is late, or holds stay in others' way.
        is_late = any(code in reply.text for code in ("ledger_unavailable", "budget_held"))
        assert reply.status_code == status or is_late, (json.dumps(body), reply.text)
        return not is_late

    async def _listed(self, client: httpx.AsyncClient) -> None:
        reply = await client.get(f"{self.base_url}/models", headers=self._headers(FREE))
        assert reply.status_code == httpx.codes.OK

    async def _left(self, client: httpx.AsyncClient) -> None:
        """A client that hangs up in the middle."""
        body = {"model": "gpt-5-mini", "input": LONG, "stream": True}
        url, headers = f"{self.base_url}/responses", self._headers(FREE)
        async with client.stream("POST", url, json=body, headers=headers) as reply:
            async for line in reply.aiter_lines():
                if "output_text.delta" in line:
                    return

    def _headers(self, tenant: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.keys.get(tenant, 'sk-wrong')}"}


def prepare(engine: Engine, base_url: str) -> Traffic:
    """Tenants with their keys, policies and budgets."""
    directory = Directory(engine=engine, now_us=now_us)
    keys = {}
    for tenant in (FREE, CLAMPED, SHORT, POOR):
        directory.create_tenant(tenant)
        keys[tenant] = directory.issue_key(tenant).text
    policies = Policies(engine=engine, now_us=now_us)
    for subject, given in POLICIES.items():
        policies.change(subject, given=given)
    budgets = Budgets(engine=engine, now_us=now_us)
    for subject, (limit_pusd, is_hard) in BUDGETS.items():
        given_budget = {"limit_pusd": limit_pusd, "is_hard": is_hard}
        budgets.set_budget(subject, period="month", given=given_budget)  # type: ignore[arg-type]  # a plain dict
    return Traffic(base_url=base_url, keys=keys)


@asynccontextmanager
async def flowing(traffic: Traffic) -> AsyncIterator[None]:
    """Round after round while the block runs."""

    stopped = asyncio.Event()

    async def rounds() -> None:
        while not stopped.is_set():
            await traffic.round()
            await asyncio.sleep(PAUSE_SECONDS)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(rounds())
        try:
            yield
        finally:
            stopped.set()  # not cancelled: a connection that is just being made would be left open
