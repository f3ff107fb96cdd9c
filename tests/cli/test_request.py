"""`gateway request`: a bill."""

from gateway.core.exchange import Basis
from tests.builders import exchange, hold
from tests.cli.commands import Gateway
from tests.cli.conftest import Post


def test_a_bill_line_by_line(gateway: Gateway, post: Post) -> None:
    post(exchange(hold=hold(request_id="req-a", tags={"team": "x"}), client_gone=True))
    out = gateway("request", "req-a").out
    facts, _, bill = out.partition("\n\n")
    assert [line.split() for line in bill.splitlines()] == [
        ["meter", "quantity", "unit_price_usd", "cost_usd"],
        ["input", "100", "0.000002000000", "0.000200000000"],
        ["output", "20", "0.000008000000", "0.000160000000"],
        ["total", "-", "-", "0.000360000000"],
        ["held", "-", "-", "0.005000000000"],
    ]
    shown = {line[:20].strip(): line[22:] for line in facts.splitlines()}
    assert shown["outcome"] == "completed"
    assert shown["basis"] == "reported"
    assert shown["client_gone"] == "yes"
    assert shown["tag team"] == "x"
    assert "problem" not in shown


def test_what_became_known_later_is_on_the_bill(gateway: Gateway, post: Post) -> None:
    held = hold(request_id="req-a")
    post(exchange(hold=held, basis=Basis.WORST_CASE, cost_pusd=held.hold_pusd, lines=()))
    post(exchange(hold=held))
    bill = gateway("request", "req-a").out.partition("\n\n")[2].splitlines()
    assert [line.split()[-1] for line in bill[1:]] == [
        "0.005000000000",
        "-0.004640000000",
        "0.005000000000",
    ]
    assert gateway("request", "req-a", "--json").json["adjustment_usd"] == "-0.004640000000"


def test_an_unpriced_one_says_why(gateway: Gateway, post: Post) -> None:
    post(exchange(hold=hold(request_id="req-b"), cost_pusd=None, problem="tier_unpriced", lines=()))
    out = gateway("request", "req-b").out
    assert "problem               tier_unpriced\n" in out
    assert "total  -         -               unpriced\n" in out


def test_json_has_the_entry_and_its_lines(gateway: Gateway, post: Post) -> None:
    post(exchange(hold=hold(request_id="req-a", tags={"team": "x"})))
    record = gateway("request", "req-a", "--json").json
    assert (record["id"], record["tags"]) == ("req-a", {"team": "x"})
    assert record["lines"][0] == {
        "meter": "input",
        "quantity": 100,
        "unit_price_usd": "0.000002000000",
        "cost_usd": "0.000200000000",
    }


def test_it_is_found_by_the_responses_id_too(gateway: Gateway, post: Post) -> None:
    post(exchange(hold=hold(request_id="req-a"), response_id="resp_42"))
    assert gateway("request", "resp_42", "--json").json["id"] == "req-a"


def test_an_unknown_id_is_told(gateway: Gateway, post: Post) -> None:
    post()
    said = gateway("request", "nope")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("gateway: no entry has the id 'nope'; it may be under way still")
