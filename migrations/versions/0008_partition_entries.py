"""Make the ledger's entries a table of parts on PostgreSQL, of which there is one at first.

Why: a month of a large ledger is then dropped in an instant (`gateway ledger partition`, `prune`).
The ranges are of request ids, which begin with their moment, so that the primary key alone is still
the exactly-once token. Nothing is copied: the table that there was becomes the part for everything.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    _set_aside()
    op.execute(
        "CREATE TABLE entry (LIKE entry_default INCLUDING ALL) PARTITION BY RANGE (request_id)"
    )
    _name_as_before("entry")
    op.execute("ALTER TABLE entry ATTACH PARTITION entry_default DEFAULT")


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("ALTER TABLE entry RENAME TO entry_parts")
    op.execute("CREATE TABLE entry (LIKE entry_parts INCLUDING ALL)")
    op.execute("INSERT INTO entry SELECT * FROM entry_parts")
    op.execute("DROP TABLE entry_parts")
    _name_as_before("entry")


def _set_aside() -> None:
    """The table and its indexes under other names: theirs are wanted."""
    op.execute("ALTER TABLE entry RENAME TO entry_default")
    for name in _indexes("entry_default"):
        op.execute(f'ALTER INDEX "{name}" RENAME TO "{name}_default"')


def _name_as_before(table: str) -> None:
    """Copied indexes are named by PostgreSQL; the program's names say what they are of."""
    for name, definition in _indexes(table).items():
        op.execute(f'ALTER INDEX "{name}" RENAME TO "{_our_name(definition)}"')


def _indexes(table: str) -> dict[str, str]:
    rows = op.get_bind().execute(
        sa.text("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = :table"),
        {"table": table},
    )
    return {row.indexname: row.indexdef for row in rows}


def _our_name(definition: str) -> str:
    if "UNIQUE" in definition:
        return "pk_entry"
    if "WHERE" in definition:
        return "ix_entry_unpriced"
    columns = definition.rpartition("(")[2].rstrip(")").split(", ")
    return "_".join(("ix_entry", *columns))
