"""Create the table of policies.

Why: what a tenant or a key may ask is decided by its administrator, and read by every process.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "policy",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("updated_at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_policy"),
    )


def downgrade() -> None:
    op.drop_table("policy")
