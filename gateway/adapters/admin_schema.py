"""The tables of administration itself: its tokens, and who changed what. Beside `schema`'s."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text

from gateway.adapters.schema import metadata

__all__ = ["admin_token", "audit", "metadata"]  # whoever wants all tables takes them from here

# Of whoever administers: a tenant's subtree, or with NULL the whole gateway.
admin_token = Table(
    "admin_token",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text),
    Column("name", Text, nullable=False),
    Column("scopes", Text, nullable=False),  # with commas between
    Column("digest", LargeBinary, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("expires_at_us", BigInteger),
    Column("revoked_at_us", BigInteger),
)

# Append only, in the transaction of the change that it tells.
audit = Table(
    "audit",
    metadata,
    # SQLite numbers only INTEGER keys
    Column("n", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("author", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("tenant", Text),  # whose it is; NULL: the whole gateway's
    Column("before", Text),  # JSON, as is the next; NULL: there was nothing
    Column("after", Text),
    Index(None, "tenant", "n"),
    sqlite_autoincrement=True,
)
