"""`gateway request`: a bill."""

from gateway.adapters.pricefile import load_prices
from gateway.core.exchange import Basis
from tests.builders import AT_US, exchange, hold, usage
from tests.cli.commands import Gateway
from tests.cli.conftest import Post


def test_a_bill_line_by_line(gateway: Gateway, post: Post) -> None:
    held = hold(request_id="req-a", tags={"team": "x"}, service_tier="auto", max_output_tokens=50)
    post(exchange(hold=held, client_gone=True))
    facts, bill, more = gateway("request", "req-a").out.split("\n\n")
    assert [line.split() for line in bill.splitlines()] == [
        ["meter", "quantity", "unit_price_usd", "cost_usd"],
        ["input", "100", "0.000002000000", "0.000200000000"],
        ["output", "20", "0.000008000000", "0.000160000000"],
        ["total", "-", "-", "0.000360000000"],
        ["held", "-", "-", "0.005000000000"],
    ]
    shown = {line[:22].strip(): line[24:] for line in facts.splitlines()}
    asked = {"requested_service_tier": "auto", "service_tier": "default"}
    said = {"outcome": "completed", "basis": "reported", "client_gone": "yes", "stream": "yes"}
    for name, value in {**asked, **said, "max_output_tokens": "50", "tag team": "x"}.items():
        assert shown[name] == value
    assert "problem" not in shown
    version = "2026-11-22+000000000000"
    assert more == f"priced by {version}, which is not the book at hand any more\n"


def test_what_became_known_later_is_on_the_bill(gateway: Gateway, post: Post) -> None:
    held = hold(request_id="req-a")
    post(exchange(hold=held, basis=Basis.WORST_CASE, cost_pusd=held.hold_pusd, lines=()))
    post(exchange(hold=held))
    _, bill, more = gateway("request", "req-a").out.split("\n\n")
    assert [line.split()[-1] for line in bill.splitlines()[-3:]] == [
        "-0.004640000000",
        "0.000360000000",
        "0.005000000000",
    ]
    assert "\nadjusted by -0.004640000000 USD at 20" in more
    record = gateway("request", "req-a", "--json").json
    assert (record["adjustment_usd"], record["total_usd"]) == ("-0.004640000000", "0.000360000000")
    (adjustment,) = record["adjustments"]
    assert adjustment["kind"] == "late_truth"
    assert [line["cost_usd"] for line in adjustment["lines"]] == [
        "0.000200000000",
        "0.000160000000",
    ]


def test_an_unpriced_one_says_why_and_what_it_used(gateway: Gateway, post: Post) -> None:
    used = usage(cached_tokens=7, cache_write_tokens=5, reasoning_tokens=3)
    held = hold(request_id="req-b", price=None, model="acme-1")
    post(exchange(hold=held, model=None, cost_pusd=None, problem="x", lines=(), usage=used))
    facts, bill, more = gateway("request", "req-b").out.split("\n\n")
    assert facts.endswith("problem                 x")
    rows = [line.split() for line in bill.splitlines()[1:]]
    assert [(row[0], row[1]) for row in rows] == [
        ("input", "88"),
        ("input_cached", "7"),
        ("input_cache_write", "5"),
        ("output", "17"),
        ("output_reasoning", "3"),
        ("total", "-"),
        ("held", "-"),
    ]
    assert rows[-2][-1] == "unpriced"
    assert more == "no price is known of it: `gateway prices show acme-1`\n"
    assert gateway("request", "req-b", "--json").json["total_usd"] is None
    price = ("--input", "1", "--output", "2", "--cached", "0.1", "--cache-write", "1")
    gateway("prices", "set", "acme-1", *price, "--like", "gpt-5", "--from", "2026-01-01")
    gateway("prices", "reprice")
    _, bill, more = gateway("request", "req-b").out.split("\n\n")
    outputs = [line.split() for line in bill.splitlines() if line.startswith("output ")]
    assert outputs == [["output", "17", "0.000002000000", "0.000034000000"]]
    assert more.startswith("price of the database (database:1), in force from 2026-01-01T00:00")
    record = gateway("request", "req-b", "--json").json
    assert (record["cost_usd"], record["total_usd"]) == (None, record["adjustment_usd"])
    assert (record["price"]["version"], record["price"]["layer"]) == ("database:1", "database")
    assert record["adjustments"][0]["price_version"] == "database:1"


def test_where_its_price_is_from(gateway: Gateway, post: Post) -> None:
    card = load_prices().find("gpt-6.2-sol", AT_US)
    assert card is not None
    post(exchange(hold=hold(request_id="req-a", price=card), model=None))
    more = gateway("request", "req-a").out.split("\n\n")[-1]
    assert more == (
        f"price of the built-in book ({card.version}), in force from 2026-11-17T00:00:00.000000Z"
        f" until 2027-03-01T00:00:00.000000Z: {card.source}\n"
    )


def test_the_budgets_that_it_counts_in(gateway: Gateway, post: Post) -> None:
    gateway("tenants", "create", "acme/search")
    gateway("budgets", "set", "acme", "--limit-usd", "1", "--period", "total", "--soft")
    gateway("budgets", "set", "acme/search", "--limit-usd", "2", "--period", "day")
    post(exchange(hold=hold(request_id="req-a", legs=None)))
    more = gateway("request", "req-a").out.split("\n\n")[-1].splitlines()[1:]
    day = "from 2026-11-22T00:00:00.000000Z until 2026-11-23T00:00:00.000000Z"
    assert more == [
        "counts in the soft budget of acme (total): 0.999640000000 left",
        f"counts in the hard budget of acme/search (day) {day}: 1.999640000000 left",
    ]
    gateway("budgets", "end", "acme", "--period", "total")
    wide, narrow = gateway("request", "req-a", "--json").json["budgets"]
    assert (wide["subject"], wide["hard"], wide["period_end"]) == ("acme", False, None)
    assert (narrow["budget"], narrow["left_usd"]) == ("day", "1.999640000000")


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
