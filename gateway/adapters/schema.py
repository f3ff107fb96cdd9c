"""The tables, once for SQLite and PostgreSQL. Not here: statements. migrations/ must lead to this.

Money is whole picodollars and time is Unix microseconds, both BIGINT. Text holds JSON where a value
is only ever read back whole. No foreign keys from holds and entries: they would lock shared rows.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)

HOUR_US = 3_600_000_000
_NUMBER = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers only INTEGER keys
_WITHOUT_COST: Any = dict.fromkeys(("sqlite_where", "postgresql_where"), text("cost_pusd IS NULL"))

tenant = Table(
    "tenant",
    metadata,
    Column("path", Text, primary_key=True),
    Column("parent", Text),
    Column("created_at_us", BigInteger, nullable=False),
    Column("suspended_at_us", BigInteger),
)

api_key = Table(
    "api_key",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("expires_at_us", BigInteger),
    Column("revoked_at_us", BigInteger),
    Column("replaced_by", Text),
)

# What administrators changed, in the order in which it was committed; caches follow it.
change = Table(
    "change",
    metadata,
    Column("n", _NUMBER, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    sqlite_autoincrement=True,
)

# One heartbeat row a process: a hold's lease is its owner's.
owner = Table(
    "owner",
    metadata,
    Column("id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at_us", BigInteger, nullable=False),
    Column("lease_until_us", BigInteger, nullable=False),
)

# In flight only, so it stays tiny: from before the first upstream byte until settlement.
hold = Table(
    "hold",
    metadata,
    Column("request_id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("hold_pusd", BigInteger, nullable=False),
    Column("legs", Text, nullable=False, server_default="[]"),
    Column("owner", Text, nullable=False),
    Column("response_id", Text),
    Column("endpoint", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("service_tier", Text),
    Column("is_stream", Boolean, nullable=False),
    Column("max_output_tokens", BigInteger),
    Column("price", Text),
    Column("tags", Text, nullable=False),
    CheckConstraint("hold_pusd >= 0", name="hold_not_negative"),
    Index(None, "owner"),
    Index(None, "response_id"),
)

# Append only. The primary key is the exactly-once token. PostgreSQL has it in parts: `partitions`.
entry = Table(
    "entry",
    metadata,
    Column("request_id", Text, primary_key=True),
    Column("created_at_us", BigInteger, nullable=False),
    Column("settled_at_us", BigInteger, nullable=False),
    Column("tenant", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("response_id", Text),
    Column("model", Text, nullable=False),  # as asked for
    Column("served_model", Text),
    Column("priced_model", Text),
    Column("service_tier", Text),  # as served
    Column("requested_tier", Text),
    Column("is_stream", Boolean),  # as are these three: NULL in entries of before they were kept
    Column("max_output_tokens", BigInteger),  # as sent
    Column("outcome", Text, nullable=False),
    Column("reason", Text),
    Column("client_gone", Boolean, nullable=False),
    Column("recoverable", Boolean, nullable=False),
    Column("basis", Text, nullable=False),
    Column("problem", Text),
    Column("http_status", Integer),
    Column("upstream_request_id", Text),
    Column("input_tokens", BigInteger),  # NULL where no usage is known: zero would be a statement
    Column("cached_tokens", BigInteger),
    Column("cache_write_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("reasoning_tokens", BigInteger),
    Column("cost_pusd", BigInteger),  # NULL: unpriced, and the hold stays spent
    Column("unpriced_use", Text),  # usage and tools whole, where a price has yet to be found
    Column("hold_pusd", BigInteger, nullable=False),
    Column("price_version", Text),
    Column("lines", Text, nullable=False),
    Column("legs", Text, nullable=False, server_default="[]"),
    Column("tags", Text, nullable=False),
    Column("duration_us", BigInteger, nullable=False),
    Column("first_byte_us", BigInteger),
    CheckConstraint("cost_pusd >= 0", name="cost_not_negative"),
    CheckConstraint("hold_pusd >= 0", name="hold_not_negative"),
    Index(None, "tenant", "created_at_us"),
    Index(None, "created_at_us"),
    Index(None, "response_id"),
    Index("ix_entry_unpriced", "created_at_us", "request_id", **_WITHOUT_COST),
    postgresql_partition_by="RANGE (request_id)",
)

# What dashboards read. The hour is that of admission, in whole hours since 1970.
usage_hour = Table(
    "usage_hour",
    metadata,
    Column("hour", BigInteger, primary_key=True, autoincrement=False),
    Column("tenant", Text, primary_key=True),
    Column("key_id", Text, primary_key=True),
    Column("model", Text, primary_key=True),  # the price book's name, or "other"
    Column("service_tier", Text, primary_key=True),  # as served, or "" where none was
    Column("requests", BigInteger, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("cache_write_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("reasoning_tokens", BigInteger, nullable=False),
    Column("cost_pusd", BigInteger, nullable=False),
    Column("unpriced", BigInteger, nullable=False),
)

# What a tenant or a key may ask, in its administrator's words.
policy = Table(
    "policy",
    metadata,
    Column("subject", Text, primary_key=True),  # a tenant's path or a key's id
    Column("document", Text, nullable=False),
    Column("updated_at_us", BigInteger, nullable=False),
)

# A limit as its administrator set it. Ids, by whose order rows are locked, begin with a depth.
budget = Table(
    "budget",
    metadata,
    Column("id", Text, primary_key=True),
    Column("subject", Text, nullable=False),  # a tenant's path or a key's id
    Column("period", Text, nullable=False),
    Column("zone", Text, nullable=False),
    Column("is_hard", Boolean, nullable=False),
    Column("limit_pusd", BigInteger, nullable=False),
    Column("models", Text),  # NULL: all
    Column("thresholds", Text, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("ended_at_us", BigInteger),
    CheckConstraint("limit_pusd >= 0", name="limit_not_negative"),
    Index(None, "subject"),
)

# The only rows that requests of different clients share. A request counts in the period in which it
# was admitted, for ever; a period's edges never change once it has begun.
budget_period = Table(
    "budget_period",
    metadata,
    Column("budget_id", Text, primary_key=True),
    Column("period_start_us", BigInteger, primary_key=True, autoincrement=False),
    Column("period_end_us", BigInteger),  # NULL: open
    Column("is_hard", Boolean, nullable=False),
    Column("limit_pusd", BigInteger, nullable=False),
    Column("held_pusd", BigInteger, nullable=False),
    Column("spent_pusd", BigInteger, nullable=False),
    Column("excess_pusd", BigInteger, nullable=False),  # cost past a hold, or past a lowered limit
    CheckConstraint("held_pusd >= 0", name="held_not_negative"),
    CheckConstraint("spent_pusd >= 0", name="spent_not_negative"),
    CheckConstraint("excess_pusd >= 0", name="excess_not_negative"),
    CheckConstraint(
        "NOT is_hard OR spent_pusd + held_pusd <= limit_pusd + excess_pusd", name="never_over"
    ),
    postgresql_with={"fillfactor": "50"},  # written anew by each batch, in place
)

# What became known of an entry after it was posted.
adjustment = Table(
    "adjustment",
    metadata,
    Column("request_id", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("delta_pusd", BigInteger, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
    Column("price_version", Text),
    Column("lines", Text, nullable=False, server_default="[]"),
)

# What administrators said of a model's price, in their order: for its span the last word counts.
price_override = Table(
    "price_override",
    metadata,
    Column("n", _NUMBER, primary_key=True),
    Column("model", Text, nullable=False),
    Column("effective_from_us", BigInteger, nullable=False),
    Column("effective_to_us", BigInteger),
    Column("document", Text),  # NULL: what the files say again
    Column("at_us", BigInteger, nullable=False),
    Column("author", Text, nullable=False),
    Column("note", Text, nullable=False),
    Index(None, "model"),
    sqlite_autoincrement=True,
)

# A threshold that was crossed: once a budget, period and threshold.
alert = Table(
    "alert",
    metadata,
    Column("budget_id", Text, primary_key=True),
    Column("period_start_us", BigInteger, primary_key=True, autoincrement=False),
    Column("threshold_pct", Integer, primary_key=True, autoincrement=False),
    Column("at_us", BigInteger, nullable=False),
    Column("delivered_at_us", BigInteger),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due_at_us", BigInteger),  # of the next attempt; NULL: there is none to come
    Index(None, "due_at_us"),
)

# Why the last requests without money were refused: there is no entry to ask.
refusal = Table(
    "refusal",
    metadata,
    Column("request_id", Text, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("tenant", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("document", Text, nullable=False),
    Index(None, "at_us"),
)

# Who made what the upstream keeps beside responses: conversations, files, containers.
owned = Table(
    "owned",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("tenant", Text, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
)

# The items that tenants were answered with, by `core.item_keys`: appended here, then shelved.
item_log = Table(
    "item_log",
    metadata,
    Column("n", _NUMBER, primary_key=True),
    Column("period", Integer, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
)
item_shelf = Table(
    "item_shelf",
    metadata,
    Column("place", _NUMBER, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
)
