"""Which errors say that the database is away, so that the same may work later.

All others are about what was to be written, and no waiting helps. Not here: what is done about it.
"""

from sqlalchemy.exc import DBAPIError

# Every driver has its own classes, but their names are the DB-API's; the last is the pool's.
_OUTAGES = {"OperationalError", "InterfaceError", "InternalError", "TimeoutError"}
# SQLite's word for a file that is damaged, or is no database; of the other kinds it is an ancestor.
_DAMAGE = "DatabaseError"
# PostgreSQL's classes of errors about the schema, which SQLite calls operational: not migrated yet.
_SCHEMA_STATES = ("42", "3F")


def is_outage(error: Exception) -> bool:
    """Whether the database was away, so that the same may work later."""
    if isinstance(error, OSError):
        return True
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or _is_outage_name(error.orig)
    return _is_outage_name(error)


def _is_outage_name(error: BaseException | None) -> bool:
    names = {ancestor.__name__ for ancestor in type(error).__mro__}
    state: str = getattr(error, "sqlstate", None) or ""
    return (
        type(error).__name__ == _DAMAGE
        or not names.isdisjoint(_OUTAGES)
        or state.startswith(_SCHEMA_STATES)
    )
