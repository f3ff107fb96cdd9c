"""How long a response is that another continues: from memory, or from its entry.

The upstream reads a chain again with every link, so its length is part of what a link may cost.
Only a tenant's own responses count, and only lengths that were reported.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from gateway.adapters import schema
from gateway.core.admit import CUT_TAG
from gateway.core.exchange import Basis, Exchange

KEPT_MAX = 10_000
READ_SECONDS_MAX = 0.1  # of the limit that it shares with the hold
_KNOWN = frozenset({Basis.REPORTED, Basis.RETRIEVED})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Link:
    tenant: str
    model: str | None  # the price book's name: another model counts in other tokens
    tokens: int


class Chains:
    """Lengths of responses by their ids. To be told of every exchange."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._links: OrderedDict[str, _Link] = OrderedDict()

    def __call__(self, exchange: Exchange) -> None:
        """Remember a response that has ended."""
        usage = exchange.usage
        if exchange.response_id is None or usage is None or exchange.basis not in _KNOWN:
            return
        if CUT_TAG in exchange.hold.tags:
            return
        self._keep(
            exchange.response_id,
            _Link(
                tenant=exchange.tenant,
                model=exchange.priced_model,
                tokens=usage.input_tokens + usage.output_tokens,
            ),
        )

    async def tokens(self, response_id: str, *, tenant: str, model: str) -> int | None:
        """Tokens read and written of the tenant's response; None where they are not known."""
        link = self._links.get(response_id)
        if link is None:
            link = await self._read(response_id)
        if link is None or (link.tenant, link.model) != (tenant, model):
            return None
        return link.tokens

    async def _read(self, response_id: str) -> _Link | None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(READ_SECONDS_MAX):
                link = await loop.run_in_executor(None, self._select, response_id)
        except (SQLAlchemyError, OSError):  # a timeout is an OSError too
            return None
        if link is not None:
            self._keep(response_id, link)
        return link

    def _select(self, response_id: str) -> _Link | None:
        table = schema.entry.c
        query = select(
            table.tenant, table.priced_model, table.input_tokens, table.output_tokens, table.tags
        ).where(table.response_id == response_id, table.basis.in_([one.value for one in _KNOWN]))
        with self._engine.connect() as connection:
            row = connection.execute(query.limit(1)).one_or_none()
        if row is None or row.input_tokens is None or f'"{CUT_TAG}"' in row.tags:
            return None
        return _Link(
            tenant=row.tenant,
            model=row.priced_model,
            tokens=row.input_tokens + row.output_tokens,
        )

    def _keep(self, response_id: str, link: _Link) -> None:
        self._links[response_id] = link
        if len(self._links) > KEPT_MAX:
            self._links.popitem(last=False)
