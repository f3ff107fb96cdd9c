"""What verbs share in shape."""

from gateway.cli.options import verb_group
from gateway.cli.program import main


def test_a_group_shows_plain_help_and_plain_tracebacks() -> None:
    group = verb_group(words="Things.")
    assert group.rich_markup_mode is None
    assert group.pretty_exceptions_enable is False


def test_a_group_without_a_verb_is_wrong_usage() -> None:
    assert main(["tenants"]) == 2
