"""How a verb gets its settings and its database, and what it says when it cannot."""

import getpass
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cli.exits import SettingsRefused, Unreachable
from gateway.cli.output import talk

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from gateway.config.settings import Settings

_SQLITE = "sqlite:///"


def settings_from(config: Path | None, **flags: object) -> "Settings":
    """The settings in force; what should be known about them is said on stderr."""
    from gateway.config.settings import warnings
    from gateway.config.sources import ConfigInvalid, load_settings

    try:
        settings = load_settings(config, flags=flags)
    except ConfigInvalid as invalid:
        raise SettingsRefused(str(invalid)) from None
    for line in warnings(settings):
        talk(f"gateway: warning: {line}")
    return settings


def author() -> str:
    """Who is at the command line, as the audit tells it."""
    return f"command line ({user()})"


def user() -> str:
    """The name of the system's user."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"uid {os.getuid()}"


def now_us() -> int:
    """The wall clock of the command line, in Unix microseconds."""
    return time.time_ns() // 1000


def has_database(settings: "Settings") -> bool:
    """Whether there is one to ask: a new SQLite has no file yet."""
    url = settings.database.url
    return not url.startswith(_SQLITE) or Path(url.removeprefix(_SQLITE)).exists()


@contextmanager
def database(settings: "Settings", *, may_create: bool = False) -> Iterator["Engine"]:
    """The database, with this version's schema; an empty SQLite gets it where a verb may write."""
    from gateway.adapters import migrate

    with _engine(settings, may_create=may_create) as engine:
        is_ours_to_create = may_create and settings.database.url.startswith(_SQLITE)
        if is_ours_to_create and migrate.is_empty(engine):
            migrate.upgrade(engine)
        if not migrate.is_current(engine):
            raise Unreachable(
                "the database does not have this version's schema: run `gateway migrate`"
            )
        yield engine


def upgraded(settings: "Settings") -> str:
    """Bring the schema up to date; the database's address as it may be shown."""
    from gateway.adapters import migrate
    from gateway.config.fields import without_password

    with _engine(settings, may_create=True) as engine:
        migrate.upgrade(engine)
    return without_password(settings.database.url)


@contextmanager
def _engine(settings: "Settings", *, may_create: bool) -> Iterator["Engine"]:
    """An engine; whatever the database says no to inside the block ends the verb with one line."""
    from sqlalchemy.exc import SQLAlchemyError  # the one thing of its library a verb must know

    from gateway.config.fields import without_password

    url = settings.database.url
    try:
        engine = _opened(settings, may_create=may_create)
        try:
            yield engine
        finally:
            engine.dispose()
    except PermissionError as forbidden:
        raise Unreachable(f"{forbidden.filename}: {forbidden.strerror}") from None
    except SQLAlchemyError as failed:
        said = str(getattr(failed, "orig", None) or failed).partition("\n")[0]
        hint = "" if url.startswith(_SQLITE) else "; start it, or check GATEWAY_DATABASE_URL"
        raise Unreachable(f"the database at {without_password(url)} failed: {said}{hint}") from None


def _opened(settings: "Settings", *, may_create: bool) -> "Engine":
    from gateway.adapters.database import open_engine

    url = settings.database.url
    file = Path(url.removeprefix(_SQLITE))
    if not may_create and not has_database(settings):
        raise Unreachable(f"there is no database at {file} yet: `gateway migrate` creates it")
    try:
        return open_engine(url)
    except ValueError as unusable:
        raise SettingsRefused(f"database.url: {unusable}") from None
    except OSError as unusable:
        raise Unreachable(f"the database at {file} cannot be opened: {unusable.strerror}") from None
