"""Index the entries without a cost.

Why: they are few among many, and looked for again and again until their price is known.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_UNPRICED = sa.text("cost_pusd IS NULL")


def upgrade() -> None:
    op.create_index(
        "ix_entry_unpriced",
        "entry",
        ["created_at_us", "request_id"],
        sqlite_where=_UNPRICED,
        postgresql_where=_UNPRICED,
    )


def downgrade() -> None:
    op.drop_index("ix_entry_unpriced", "entry")
