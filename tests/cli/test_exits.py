"""Exit codes that scripts rely on."""

from gateway.cli.exits import CheckFailed, CommandStopped, SettingsRefused, Unreachable, WrongUsage


def test_each_end_has_its_code() -> None:
    ends = (CommandStopped, CheckFailed, WrongUsage, SettingsRefused, Unreachable)
    assert [end.exit_code for end in ends] == [1, 1, 2, 3, 4]
