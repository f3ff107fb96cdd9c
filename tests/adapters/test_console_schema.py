"""The console's table: in the one metadata that migrations lead to."""

from gateway.adapters import schema
from gateway.adapters.console_schema import console_session


def test_it_is_among_all_tables() -> None:
    assert schema.metadata.tables["console_session"] is console_session
    assert [column.name for column in console_session.primary_key] == ["digest"]
