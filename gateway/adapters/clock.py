"""The database's clock, which decides among hosts: prices in force, leases. Not here: durations."""

from collections.abc import Callable

from sqlalchemy import Connection, text

_POSTGRESQL_US = text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")


class DatabaseClock:
    """This host's clock, corrected by what is known of the database's.

    A time that the database told lies between the moments before and after the question. The
    correction moves only when that proves it wrong, so that waiting never looks like a difference.
    """

    def __init__(self, now_us: Callable[[], int]) -> None:
        self.offset_us = 0
        self._now_us = now_us

    def __call__(self) -> int:
        """Unix microseconds."""
        return self._now_us() + self.offset_us

    def local_us(self) -> int:
        """This host's own time, to be noted before asking."""
        return self._now_us()

    def told(self, database_us: int, *, asked_us: int) -> None:
        """The database told its time just now, to a question asked at `asked_us` of ours."""
        least, most = database_us - self._now_us(), database_us - asked_us
        self.offset_us = min(max(self.offset_us, least), most)


def database_us(connection: Connection) -> int | None:
    """The database's time; None where it has none of its own."""
    if connection.dialect.name != "postgresql":
        return None
    return int(connection.execute(_POSTGRESQL_US).scalar_one())
