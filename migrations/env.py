"""Alembic's way in: from `gateway.adapters.migrate` with a connection, or from its command line.

The command line takes the database from `-x url=…` or GATEWAY_DATABASE_URL.
"""

import os

from alembic import context
from sqlalchemy import Connection

from gateway.adapters.console_schema import metadata
from gateway.adapters.database import open_engine, write_transaction


def _migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()


def _url() -> str:
    url = context.get_x_argument(as_dictionary=True).get("url")
    url = url or os.environ.get("GATEWAY_DATABASE_URL", "")
    if not url:
        raise SystemExit("say which database: -x url=… or GATEWAY_DATABASE_URL")
    return url


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    _migrate(given)
else:
    with write_transaction(open_engine(_url())) as own:
        _migrate(own)
