"""`gateway prices`."""

from pathlib import Path

import pytest

from tests.cli.commands import Gateway

OWN = """
as_of = 2026-11-22
[models.{name}]
input_tokens_max = 1000
output_tokens_max = 100
long_context_above_tokens = 500
[[models.{name}.prices]]
source = "https://example.test/contract"
from = 2026-01-01
default = {{ input = "1.50", output = "2", cached = "0.125" }}
default_long = {{ input = "3", output = "4" }}
tools = {{ web_search = "10" }}
"""


@pytest.fixture
def own_file(monkeypatch: pytest.MonkeyPatch) -> Path:
    path = Path("own.toml")
    path.write_text(OWN.format(name="acme-1"))
    monkeypatch.setenv("GATEWAY_PRICES_FILE", "own.toml")
    return path


def test_the_list(gateway: Gateway, own_file: Path) -> None:
    said = gateway("prices", "list")
    rows = {line.split()[0]: line.split()[1:] for line in said.out.splitlines()}
    assert rows["model"] == ["input", "cached", "cache_write", "cache_write_12h", "output"]
    assert rows["acme-1"] == ["1.50", "0.125", "-", "-", "2.00"]
    assert "USD per million tokens" in said.err
    names = [row["model"] for row in gateway("prices", "list", "--json").json]
    assert names == sorted(rows.keys() - {"model"})


def test_a_model(gateway: Gateway, own_file: Path) -> None:
    said = gateway("prices", "show", "acme-1")
    assert "source  https://example.test/contract\n" in said.out
    assert "in force from 2026-01-01\n" in said.out
    assert "fee     web_search: 10.00 USD per 1,000 calls\n" in said.out
    assert "default, input above 500" in said.out
    record = gateway("prices", "show", "acme-1", "--json").json
    assert record["usd_per_token"]["default"]["short"] == {
        "input": "0.000001500000",
        "cached": "0.000000125000",
        "cache_write": None,
        "cache_write_12h": None,
        "output": "0.000002000000",
    }
    assert record["usd_per_token"]["default"]["long"]["input"] == "0.000003000000"
    assert record["usd_per_call"] == {"web_search": "0.010000000000"}


def test_a_model_of_the_book_without_dates(gateway: Gateway) -> None:
    said = gateway("prices", "show", "gpt-4.1")
    assert said.code == 0
    assert "in force from the beginning\n" in said.out


def test_an_unknown_model_is_suggested(gateway: Gateway) -> None:
    said = gateway("prices", "show", "gpt-4.1-mnii")
    assert (said.code, said.err) == (
        1,
        "gateway: no price is known for 'gpt-4.1-mnii'; did you mean gpt-4.1-mini?\n",
    )
    assert gateway("prices", "show", "zzz").err.endswith("; `gateway prices list` lists all\n")


def test_checking_a_file(gateway: Gateway) -> None:
    path = Path("own.toml")
    path.write_text(OWN.format(name="acme-1"))
    said = gateway("prices", "check", "own.toml")
    assert said.code == 0
    assert said.out.startswith("adds acme-1\nown.toml is valid: ")
    path.write_text(OWN.format(name='"gpt-4.1"'))
    assert gateway("prices", "check", "own.toml").out.startswith("replaces gpt-4.1\n")


def test_a_file_can_take_a_model_out(gateway: Gateway) -> None:
    Path("own.toml").write_text('as_of = 2026-11-22\nunpriced = ["gpt-4.1-nano"]\n')
    assert gateway("prices", "check", "own.toml").out.startswith("removes gpt-4.1-nano\n")


def test_a_broken_file_is_told_with_its_place(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("own.toml").write_text(OWN.format(name="acme-1").replace("output =", "outptu ="))
    said = gateway("prices", "check", "own.toml")
    assert (said.code, said.out) == (1, "")
    assert said.err == (
        "gateway: own.toml: line 10: models.acme-1.prices[1].default.outptu: "
        "Object contains unknown field `outptu`; did you mean `output`?\n"
        "gateway: own.toml: line 11: models.acme-1.prices[1].default_long.outptu: "
        "Object contains unknown field `outptu`; did you mean `output`?\n"
    )
    assert gateway("prices", "check", "gone.toml").code == 1
    monkeypatch.setenv("GATEWAY_PRICES_FILE", "own.toml")
    assert gateway("prices", "list").code == 3


def test_a_model_that_hears_and_one_with_windows(gateway: Gateway) -> None:
    heard = gateway("prices", "show", "gpt-audio").out
    assert "audio_output" in heard
    assert "32.00" in heard
    windowed = gateway("prices", "show", "gpt-6.2-sol").out
    assert "default, within 8h " in windowed
    assert "fee     container_1g: 1.50 USD per 1,000 minutes" in windowed
    assert "audio" not in windowed
    assert '"audio": "0.000032000000"' in gateway("prices", "show", "gpt-audio", "--json").out
