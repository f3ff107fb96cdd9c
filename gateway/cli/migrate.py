"""`gateway migrate`: the schema, created or brought up to date."""

from gateway.cli.access import settings_from, upgraded
from gateway.cli.options import ConfigOption
from gateway.cli.output import talk


def migrate(config: ConfigOption = None) -> None:
    """Create the database's schema, or bring it up to date."""
    talk(f"{upgraded(settings_from(config))} has this version's schema")
