"""Create the table of price overrides, and keep what a price that comes later needs.

Why: prices change under running gateways; an entry without a price is to get one when it is known,
and a bill says what was asked for beside what was served.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_OF_ENTRIES = (
    ("requested_tier", sa.Text()),
    ("is_stream", sa.Boolean()),
    ("max_output_tokens", sa.BigInteger()),
    ("unpriced_use", sa.Text()),
)


def upgrade() -> None:
    op.create_table(
        "price_override",
        sa.Column("n", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("effective_from_us", sa.BigInteger(), nullable=False),
        sa.Column("effective_to_us", sa.BigInteger()),
        sa.Column("document", sa.Text()),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("n", name="pk_price_override"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_price_override_model", "price_override", ["model"])
    op.add_column("hold", sa.Column("max_output_tokens", sa.BigInteger()))
    for name, kind in _OF_ENTRIES:
        op.add_column("entry", sa.Column(name, kind))
    op.add_column("adjustment", sa.Column("price_version", sa.Text()))
    op.add_column("adjustment", sa.Column("lines", sa.Text(), server_default="[]", nullable=False))


def downgrade() -> None:
    for name in ("lines", "price_version"):
        op.drop_column("adjustment", name)
    for name, _ in reversed(_OF_ENTRIES):
        op.drop_column("entry", name)
    op.drop_column("hold", "max_output_tokens")
    op.drop_table("price_override")
