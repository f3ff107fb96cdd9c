"""`gateway migrate`."""

from pathlib import Path

from tests.cli.commands import Gateway, command


def test_it_creates_the_schema_and_may_be_repeated(gateway: Gateway) -> None:
    for _ in range(2):
        said = gateway("migrate")
        assert (said.code, said.out) == (0, "")
        assert said.err == "sqlite:///.gateway/gateway.db has this version's schema\n"
    assert gateway("tenants", "list").code == 0


def test_as_a_command_with_its_own_state_folder(tmp_path: Path) -> None:
    said = command("migrate", GATEWAY_STATE_DIR=str(tmp_path / "deep" / "state"))
    assert said.code == 0, said.err
    assert (tmp_path / "deep" / "state" / "gateway.db").stat().st_mode & 0o777 == 0o600
