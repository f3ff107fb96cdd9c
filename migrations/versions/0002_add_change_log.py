"""Add the log of administrative changes.

Why: a revoked key must be refused by every process within seconds, without each asking for each
request; so what changed is written down, and its newest number is read with every batch.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "change",
        sa.Column("n", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("n", name="pk_change"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("change")
