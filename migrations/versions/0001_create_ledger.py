"""Create the ledger: tenants, keys, owners, holds, entries and hourly usage.

Why: a request's worst case must be on disk before it is sent, and its cost before its end is shown.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _create_tenant()
    _create_api_key()
    _create_owner()
    _create_hold()
    _create_entry()
    _create_usage_hour()


def downgrade() -> None:
    for table in ("usage_hour", "entry", "hold", "owner", "api_key", "tenant"):
        op.drop_table(table)


def _create_tenant() -> None:
    op.create_table(
        "tenant",
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text()),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("suspended_at_us", sa.BigInteger()),
        sa.PrimaryKeyConstraint("path", name="pk_tenant"),
    )


def _create_api_key() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_us", sa.BigInteger()),
        sa.Column("revoked_at_us", sa.BigInteger()),
        sa.Column("replaced_by", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_api_key"),
    )
    op.create_index("ix_api_key_tenant", "api_key", ["tenant"])


def _create_owner() -> None:
    op.create_table(
        "owner",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_at_us", sa.BigInteger(), nullable=False),
        sa.Column("lease_until_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_owner"),
    )


def _create_hold() -> None:
    op.create_table(
        "hold",
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("hold_pusd", sa.BigInteger(), nullable=False),
        sa.Column("legs", sa.Text(), server_default="[]", nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("response_id", sa.Text()),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("service_tier", sa.Text()),
        sa.Column("is_stream", sa.Boolean(), nullable=False),
        sa.Column("price", sa.Text()),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.CheckConstraint("hold_pusd >= 0", name="ck_hold_hold_not_negative"),
        sa.PrimaryKeyConstraint("request_id", name="pk_hold"),
    )
    op.create_index("ix_hold_owner", "hold", ["owner"])
    op.create_index("ix_hold_response_id", "hold", ["response_id"])


def _create_entry() -> None:
    op.create_table(
        "entry",
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("settled_at_us", sa.BigInteger(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("response_id", sa.Text()),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("served_model", sa.Text()),
        sa.Column("priced_model", sa.Text()),
        sa.Column("service_tier", sa.Text()),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("client_gone", sa.Boolean(), nullable=False),
        sa.Column("recoverable", sa.Boolean(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("problem", sa.Text()),
        sa.Column("http_status", sa.Integer()),
        sa.Column("upstream_request_id", sa.Text()),
        sa.Column("input_tokens", sa.BigInteger()),
        sa.Column("cached_tokens", sa.BigInteger()),
        sa.Column("cache_write_tokens", sa.BigInteger()),
        sa.Column("output_tokens", sa.BigInteger()),
        sa.Column("reasoning_tokens", sa.BigInteger()),
        sa.Column("cost_pusd", sa.BigInteger()),
        sa.Column("hold_pusd", sa.BigInteger(), nullable=False),
        sa.Column("price_version", sa.Text()),
        sa.Column("lines", sa.Text(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("duration_us", sa.BigInteger(), nullable=False),
        sa.Column("first_byte_us", sa.BigInteger()),
        sa.CheckConstraint("cost_pusd >= 0", name="ck_entry_cost_not_negative"),
        sa.CheckConstraint("hold_pusd >= 0", name="ck_entry_hold_not_negative"),
        sa.PrimaryKeyConstraint("request_id", name="pk_entry"),
    )
    op.create_index("ix_entry_created_at_us", "entry", ["created_at_us"])
    op.create_index("ix_entry_response_id", "entry", ["response_id"])
    op.create_index("ix_entry_tenant_created_at_us", "entry", ["tenant", "created_at_us"])


def _create_usage_hour() -> None:
    op.create_table(
        "usage_hour",
        sa.Column("hour", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("service_tier", sa.Text(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cached_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cache_write_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_pusd", sa.BigInteger(), nullable=False),
        sa.Column("unpriced", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "hour", "tenant", "key_id", "model", "service_tier", name="pk_usage_hour"
        ),
    )
