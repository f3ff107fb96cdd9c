"""Whether a hard budget binds a tenant: asked where nothing is held. Not here: what it has left."""

import asyncio

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from gateway.adapters import schema
from gateway.core.errors import LedgerUnavailable
from gateway.core.tenant import Tenant, ancestry

READ_SECONDS_MAX = 0.2


class HardBudgets:
    """The hard budgets in force, asked for by every request that must not have any."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def bind(self, tenant: Tenant) -> bool:
        """Whether one is on the tenant's way, or its key's. Raises LedgerUnavailable."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(READ_SECONDS_MAX):
                return await loop.run_in_executor(None, self._select, tenant)
        except (SQLAlchemyError, OSError) as error:  # a timeout is an OSError too
            raise LedgerUnavailable from error

    def _select(self, tenant: Tenant) -> bool:
        table = schema.budget.c
        query = select(table.id).where(
            table.subject.in_((*ancestry(tenant.path), tenant.key_id)),
            table.is_hard.is_(True),
            table.ended_at_us.is_(None),
        )
        with self._engine.connect() as connection:
            return connection.execute(query.limit(1)).first() is not None
