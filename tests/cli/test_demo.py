"""The demo ends by itself, prints every bill, and stands by its own check."""

import re
import sys

import pytest

from gateway.cli.demo_traffic import REQUESTS
from tests.cli.commands import Gateway, Said, command


@pytest.fixture(scope="module")
def said() -> Said:
    """One run of the real thing, with nobody at the terminal."""
    return command("demo")


def test_it_ends_well_and_checks_itself(said: Said) -> None:
    assert said.code == 0, said.err
    assert re.search(r"simulator's own count comes to 0\.\d{12}: equal to the picodollar", said.out)
    assert "Traceback" not in said.err


def test_every_request_has_its_bill(said: Said) -> None:
    for request in REQUESTS:
        assert f"{request.tenant:13} {request.title}" in said.out
    assert len(re.findall(r"^    cost in USD +0\.\d{12}$", said.out, re.MULTILINE)) == len(REQUESTS)


def test_totals_are_the_sums_of_the_bills(said: Said) -> None:
    bills, totals = said.out.split("\nTotals in USD:")
    total = re.search(r"^    all +(0\.\d{12})$", totals, re.MULTILINE)
    assert total is not None
    costs = re.findall(r"^    cost in USD +0\.(\d{12})$", bills, re.MULTILINE)
    assert f"0.{sum(map(int, costs)):012}" == total[1]


def test_the_client_that_hung_up_is_billed_like_any_other(said: Said) -> None:
    assert len(re.findall(r"completed.*, client gone$", said.out, re.MULTILINE)) == 1
    assert "incomplete (max_output_tokens)" in said.out


def test_against_a_gateway_of_ones_own_needs_a_key() -> None:
    refused = command("demo", "--against", "http://127.0.0.1:9/v1")
    assert refused.code == 2
    assert "--against needs --key" in refused.err


def test_against_what_does_not_answer_it_ends_in_a_line() -> None:
    stopped = command("demo", "--against", "http://127.0.0.1:9/v1", "--key", "gw_none")
    assert stopped.code == 1
    assert "'text, streamed' at http://127.0.0.1:9/v1 failed" in stopped.err
    assert "Traceback" not in stopped.err


def test_without_the_sdk_it_says_what_to_install(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    refused = gateway("demo")
    assert refused.code == 1
    assert refused.err.endswith("pip install responses-gateway[demo]\n")
