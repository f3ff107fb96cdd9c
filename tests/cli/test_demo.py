"""The demo ends by itself, prints every bill, and stands by its own check."""

import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from gateway.cli.demo_traffic import REQUESTS
from tests.cli.commands import Gateway, Said, command


@pytest.fixture(scope="module")
def said() -> Said:
    """One run of the real thing, with nobody at the terminal.

    A machine that is busy with other tests may keep its ledger waiting once: it tells so, and ends.
    """
    first = command("demo")
    return command("demo") if "The ledger does not answer" in first.err else first


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


def test_it_names_no_address_of_a_gateway_that_has_ended(said: Said) -> None:
    assert "http://" not in said.out.split("Totals in USD:")[1]
    assert "python3 gw serve" in said.out


def test_against_a_gateway_of_ones_own_needs_a_key() -> None:
    refused = command("demo", "--against", "http://127.0.0.1:9/v1")
    assert refused.code == 2
    assert "--against needs --key" in refused.err


def test_against_what_does_not_answer_it_ends_in_a_line() -> None:
    stopped = command("demo", "--against", "http://127.0.0.1:9/v1", "--key", "gw_none")
    assert stopped.code == 1
    assert "'text, streamed' at http://127.0.0.1:9/v1 failed" in stopped.err
    assert "Traceback" not in stopped.err


class _Refusing(BaseHTTPRequestHandler):
    """A gateway whose budget is spent."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = b'{"error": {"code": "insufficient_quota", "message": "No money is left."}}'
        self.send_response(429)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


def test_against_goes_on_after_what_a_budget_refuses() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Refusing) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        said = command("demo", "--against", f"http://127.0.0.1:{server.server_port}/v1",
                       "--key", "gw_none")  # fmt: skip
        server.shutdown()
        thread.join()
    assert said.code == 0, said.err
    assert said.out.count("refused: insufficient_quota\n") == len(REQUESTS)


def test_without_the_sdk_it_says_what_to_install(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    refused = gateway("demo")
    assert refused.code == 1
    assert refused.err.endswith("pip install responses-gateway[demo]\n")
