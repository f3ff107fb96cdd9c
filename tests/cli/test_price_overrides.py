"""`gateway prices set`, `unset`, `history`: who may say what a model costs, and that they did."""

import getpass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import Gateway
from tests.cli.test_prices import OWN


def shown(gateway: Gateway, model: str = "gpt-5-mini") -> Any:
    return gateway("prices", "show", model, "--json").json


def test_a_price_from_now_on(gateway: Gateway) -> None:
    files = shown(gateway)
    said = gateway("prices", "set", "gpt-5-mini", "--input", "0.3", "--output", "2.5")
    assert (said.code, said.out) == (0, "")
    assert said.err.startswith("gpt-5-mini: this price from 20")
    assert said.err.endswith("Z (number 1)\n")
    assert shown(gateway)["version"] == files["version"], "not before all can have heard of it"
    (other,) = shown(gateway)["others"]
    assert (other["layer"], other["version"]) == ("database", "database:1")
    assert other["effective_from"] == shown(gateway)["effective_to"]
    default = other["usd_per_token"].pop("default")
    assert default["short"]["input"] == "0.000000300000"
    assert default["short"]["cached"] is None
    assert other["usd_per_token"] == {}, "as in files, what is not said is not offered"
    assert other["source"] == f"set by {getpass.getuser()}"
    assert other["input_tokens_max"] == files["input_tokens_max"]


def test_a_span_in_the_past_and_back(gateway: Gateway) -> None:
    Path("own.toml").write_text(OWN.format(name='"gpt-5-mini"'))
    span = ("--from", "2026-03-01", "--to", "2027-05-05T12:00Z")
    said = gateway("prices", "set", "gpt-5-mini", "own.toml", *span, "--by", "ana", "--note", "n")
    assert "reprice" in said.err
    text = gateway("prices", "show", "gpt-5-mini").out
    assert "layer   database, version database:1\n" in text
    assert "source  https://example.test/contract\n" in text
    assert "dates   in force from 2026-03-01 until 2027-05-05T12:00:00.000000Z\n" in text
    assert "else    from 2027-05-05T12:00:00.000000Z: default input 0.25, cached 0.025" in text
    assert gateway("prices", "unset", "gpt-5-mini", "--from", "2026-04-01").code == 0
    assert shown(gateway)["layer"] == "built-in book"
    rows = gateway("prices", "history", "gpt-5-mini", "--json").json
    assert [(row["number"], row["by"], row["note"]) for row in rows] == [
        (1, "ana", "n"),
        (2, getpass.getuser(), ""),
    ]
    assert (rows[0]["from"], rows[1]["to"]) == ("2026-03-01T00:00:00.000000Z", None)
    assert rows[0]["document"]["models"].keys() == {"gpt-5-mini"}
    table = gateway("prices", "history").out.splitlines()
    assert "input 1.50, output 2, cached 0.125" in table[1]
    assert "unset" in table[2]


def test_a_new_model_is_like_another(gateway: Gateway) -> None:
    given = ("--input", "1", "--output", "2", "--from", "2026-01-01", "--source", "letter")
    refused = gateway("prices", "set", "acme-1", *given)
    assert (refused.code, refused.err) == (
        2,
        "gateway: acme-1 is not in the book: name a model that it is like\n",
    )
    assert gateway("prices", "set", "acme-1", *given, "--like", "gpt-5").code == 0
    record = shown(gateway, "acme-1")
    assert (record["source"], record["output_tokens_max"]) == ("letter", 128_000)
    assert "acme-1" in gateway("prices", "list").out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "give a price file, or --input and --output"),
        (("own.toml", "--input", "1"), "give a price file, or --input and --output"),
        (("--input", "1"), "gpt-5-mini has output too: say what it costs"),
        (("--output", "1"), "required field `input`"),
        (("--input", "one", "--output", "2"), "'one' is not a decimal number"),
        (("--input", "20000", "--output", "2"), "more than 10000"),
        (("own.toml",), "has no prices of gpt-5-mini, but of acme-1"),
        (("gone.toml",), "cannot be read"),
        (("--input", "1", "--output", "2", "--from", "soon"), "'soon' is no moment"),
        (("--input", "1", "--output", "2", "--to", "2026-01-01"), "would end before it begins"),
    ],
)
def test_what_cannot_be_is_told(gateway: Gateway, arguments: tuple[str, ...], why: str) -> None:
    Path("own.toml").write_text(OWN.format(name="acme-1"))
    said = gateway("prices", "set", "gpt-5-mini", *arguments)
    assert said.code == 2
    assert why in said.err
    assert gateway("prices", "history", "--json").json == []


def test_a_user_without_a_name(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", nobody)
    gateway("prices", "unset", "gpt-5-mini")
    assert gateway("prices", "history", "--json").json[0]["by"].startswith("uid ")
