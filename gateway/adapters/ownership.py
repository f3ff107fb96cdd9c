"""Who owns what a request names: from memory, or from the ledger and the records beside it.

A response's owner is its hold's or entry's tenant. Items ride with their entry, short. What else
tenants make is a row, written before its maker hears of it. Where the database does not answer,
only what is in memory passes. Not here: which ids a request names (`core.ownership`).
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, delete, select, union_all
from sqlalchemy.exc import SQLAlchemyError

from gateway.adapters import schema
from gateway.adapters.database import insert_into, write_transaction
from gateway.adapters.item_shelves import find_items, keep_items
from gateway.adapters.rows import Row, owned_row
from gateway.core.errors import LedgerUnavailable
from gateway.core.exchange import Exchange
from gateway.core.ownership import ID_CHARACTERS_MAX, Kind, Reference, not_found

KEPT_MAX = 20_000
READ_SECONDS_MAX = 0.2
WRITE_SECONDS_MAX = 2.0

_T = TypeVar("_T")
_Known = tuple[str, str]  # tenant and id: what is another's is as unknown as what is not there


class Ownership:
    """Owners by id. To be told of every exchange."""

    def __init__(self, *, engine: Engine, now_us: Callable[[], int]) -> None:
        self._engine = engine
        self._now_us = now_us
        self._known: OrderedDict[_Known, None] = OrderedDict()

    def __call__(self, exchange: Exchange) -> None:
        """Remember what an exchange made."""
        if exchange.response_id is not None:
            self._keep(exchange.tenant, exchange.response_id)
        for container_id in exchange.container_ids:
            self._keep(exchange.tenant, container_id)

    async def check(self, named: Sequence[Reference], tenant: str) -> None:
        """Raise NotFound for the first that is not the tenant's; LedgerUnavailable: who knows."""
        unknown = [one for one in named if (tenant, one.id) not in self._known]
        if not unknown:
            return
        found = await self._in_time(READ_SECONDS_MAX, self._find, unknown, tenant)
        for one in unknown:
            if one.id not in found:
                raise not_found(one)
            self._keep(tenant, one.id)

    async def made(self, kind: str, object_id: str, tenant: str) -> None:
        """Return when it is on record that a tenant made an object. Raises LedgerUnavailable."""
        row = owned_row(object_id, kind, tenant, self._now_us())
        await self._in_time(WRITE_SECONDS_MAX, self._write, row)
        self._keep(tenant, object_id)

    async def answered(self, item_ids: Sequence[str], tenant: str) -> None:
        """Return when it is on record that a tenant was answered with items."""
        fresh = [one for one in item_ids if (tenant, one) not in self._known]
        if not fresh:
            return
        await self._in_time(
            WRITE_SECONDS_MAX, keep_items, self._engine, fresh, tenant, self._now_us()
        )
        for one in fresh:
            self._keep(tenant, one)

    async def gone(self, object_id: str, tenant: str) -> None:
        """Forget an object that its owner deleted."""
        self._known.pop((tenant, object_id), None)
        await self._in_time(WRITE_SECONDS_MAX, self._delete, object_id, tenant)

    async def of(self, tenant: str, ids: Sequence[str]) -> set[str]:
        """Those of some objects that are the tenant's."""
        named = [Reference(Kind.FILE, one, "") for one in ids]
        return await self._in_time(READ_SECONDS_MAX, self._find, named, tenant)

    async def _in_time(self, seconds_max: float, work: Callable[..., _T], *given: Any) -> _T:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds_max):
                return await loop.run_in_executor(None, work, *given)
        except (SQLAlchemyError, OSError) as error:  # a timeout is an OSError too
            raise LedgerUnavailable from error

    def _find(self, named: Iterable[Reference], tenant: str) -> set[str]:
        asked: dict[bool, list[str]] = {True: [], False: []}
        items = []
        for one in named:
            if not _is_possible(one.id):
                continue
            asked[one.kind is Kind.RESPONSE].append(one.id)
            if one.kind is Kind.ITEM:
                items.append(one.id)
        with self._engine.connect() as connection:
            found = _responses(connection, asked[True], tenant)
            found |= _objects(connection, asked[False], tenant)
            return found | find_items(connection, items, tenant, self._now_us())

    def _write(self, row: Row) -> None:
        insert = insert_into(schema.owned, self._engine.dialect).on_conflict_do_nothing()
        with write_transaction(self._engine) as connection:
            connection.execute(insert, [dict(zip(schema.owned.c.keys(), row, strict=True))])

    def _delete(self, object_id: str, tenant: str) -> None:
        table = schema.owned.c
        with write_transaction(self._engine) as connection:
            connection.execute(
                delete(schema.owned).where(table.id == object_id, table.tenant == tenant)
            )

    def _keep(self, tenant: str, name: str) -> None:
        self._known[tenant, name] = None
        if len(self._known) > KEPT_MAX:
            self._known.popitem(last=False)


def _is_possible(name: str) -> bool:
    """Whether an id could be on record: a database may not even take the question."""
    return 0 < len(name) <= ID_CHARACTERS_MAX and name.isprintable()


def _responses(connection: Connection, ids: list[str], tenant: str) -> set[str]:
    if not ids:
        return set()
    parts = [
        select(table.c.response_id).where(table.c.response_id.in_(ids), table.c.tenant == tenant)
        for table in (schema.hold, schema.entry)
    ]
    return set(connection.scalars(union_all(*parts)))


def _objects(connection: Connection, ids: list[str], tenant: str) -> set[str]:
    if not ids:
        return set()
    table = schema.owned.c
    return set(
        connection.scalars(select(table.id).where(table.id.in_(ids), table.tenant == tenant))
    )
