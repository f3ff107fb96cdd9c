"""The table of the console's sessions. Beside `schema`'s."""

from sqlalchemy import BigInteger, Column, LargeBinary, Table, Text

from gateway.adapters.admin_schema import metadata

__all__ = ["console_session", "metadata"]  # whoever wants all tables takes them from here

# Whoever shows the secret of this digest is the one whom `credential` names.
console_session = Table(
    "console_session",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("credential", Text, nullable=False),
    Column("seal", LargeBinary, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("expires_at_us", BigInteger, nullable=False),
)
