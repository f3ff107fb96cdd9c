"""Add the sessions of the console.

Why: a session must be known to every worker and replica, and end everywhere when it is ended.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "console_session",
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("credential", sa.Text, nullable=False),
        sa.Column("seal", sa.LargeBinary, nullable=False),
        sa.Column("created_at_us", sa.BigInteger, nullable=False),
        sa.Column("expires_at_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_console_session"),
    )


def downgrade() -> None:
    op.drop_table("console_session")
