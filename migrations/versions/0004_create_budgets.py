"""Create budgets: limits, what their periods come to, and what was said about them.

Why: a limit holds only where it is a constraint of the rows that every request's money passes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    _create_budget()
    _create_budget_period()
    op.create_table(
        "adjustment",
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("delta_pusd", sa.BigInteger(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("request_id", "kind", name="pk_adjustment"),
    )
    op.create_table(
        "alert",
        sa.Column("budget_id", sa.Text(), nullable=False),
        sa.Column("period_start_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("threshold_pct", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("delivered_at_us", sa.BigInteger()),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at_us", sa.BigInteger()),
        sa.PrimaryKeyConstraint("budget_id", "period_start_us", "threshold_pct", name="pk_alert"),
    )
    op.create_index("ix_alert_due_at_us", "alert", ["due_at_us"])
    op.create_table(
        "refusal",
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("request_id", name="pk_refusal"),
    )
    op.create_index("ix_refusal_at_us", "refusal", ["at_us"])
    op.add_column("entry", sa.Column("legs", sa.Text(), server_default="[]", nullable=False))


def downgrade() -> None:
    op.drop_column("entry", "legs")
    for table in ("refusal", "alert", "adjustment", "budget_period", "budget"):
        op.drop_table(table)


def _create_budget() -> None:
    op.create_table(
        "budget",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("is_hard", sa.Boolean(), nullable=False),
        sa.Column("limit_pusd", sa.BigInteger(), nullable=False),
        sa.Column("models", sa.Text()),
        sa.Column("thresholds", sa.Text(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_us", sa.BigInteger()),
        sa.CheckConstraint("limit_pusd >= 0", name="ck_budget_limit_not_negative"),
        sa.PrimaryKeyConstraint("id", name="pk_budget"),
    )
    op.create_index("ix_budget_subject", "budget", ["subject"])


def _create_budget_period() -> None:
    op.create_table(
        "budget_period",
        sa.Column("budget_id", sa.Text(), nullable=False),
        sa.Column("period_start_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("period_end_us", sa.BigInteger()),
        sa.Column("is_hard", sa.Boolean(), nullable=False),
        sa.Column("limit_pusd", sa.BigInteger(), nullable=False),
        sa.Column("held_pusd", sa.BigInteger(), nullable=False),
        sa.Column("spent_pusd", sa.BigInteger(), nullable=False),
        sa.Column("excess_pusd", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("held_pusd >= 0", name="ck_budget_period_held_not_negative"),
        sa.CheckConstraint("spent_pusd >= 0", name="ck_budget_period_spent_not_negative"),
        sa.CheckConstraint("excess_pusd >= 0", name="ck_budget_period_excess_not_negative"),
        sa.CheckConstraint(
            "NOT is_hard OR spent_pusd + held_pusd <= limit_pusd + excess_pusd",
            name="ck_budget_period_never_over",
        ),
        sa.PrimaryKeyConstraint("budget_id", "period_start_us", name="pk_budget_period"),
        postgresql_with={"fillfactor": "50"},
    )
