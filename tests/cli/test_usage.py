"""`gateway usage`."""

from tests.builders import AT_US, exchange, hold, usage
from tests.cli.commands import Gateway
from tests.cli.conftest import Post

DAY_US = 86_400_000_000
COUNTS = [
    "requests", "input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens",
    "reasoning_tokens", "cost_usd", "unpriced_requests",
]  # fmt: skip


def three(post: Post) -> None:
    post(
        exchange(hold=hold(tenant="acme")),
        exchange(hold=hold(tenant="acme/search", created_at_us=AT_US - DAY_US)),
        exchange(hold=hold(tenant="zeta"), cost_pusd=None, usage=usage(cached_tokens=40)),
    )


def test_by_tenant(gateway: Gateway, post: Post) -> None:
    three(post)
    rows = gateway("usage", "--json").json
    assert [row["tenant"] for row in rows] == ["acme", "acme/search", "zeta"]
    assert list(rows[0]) == ["tenant", *COUNTS]
    assert rows[0]["cost_usd"] == "0.000360000000"
    assert (rows[2]["cached_tokens"], rows[2]["unpriced_requests"]) == (40, 1)


def test_by_several(gateway: Gateway, post: Post) -> None:
    three(post)
    rows = gateway("usage", "--by", "day,model,key", "--tenant", "acme", "--json").json
    assert [list(row)[:3] for row in rows] == [["day", "model", "key_id"]] * 2
    assert [row["day"] for row in rows] == ["2026-11-21", "2026-11-22"]


def test_by_tag(gateway: Gateway, post: Post) -> None:
    post(exchange(hold=hold(tags={"team": "search"})), exchange(hold=hold()))
    rows = gateway("usage", "--by", "tag:team,tenant", "--json").json
    assert sorted((str(row["tag:team"]), row["requests"]) for row in rows) == [
        ("None", 1),
        ("search", 1),
    ]
    assert list(rows[0])[:2] == ["tag:team", "tenant"]


def test_in_a_span_of_time(gateway: Gateway, post: Post) -> None:
    three(post)
    since = gateway("usage", "--since", "2026-11-22", "--json").json
    assert [row["tenant"] for row in since] == ["acme", "zeta"]
    until = gateway("usage", "--until", "2026-11-22T00:00Z", "--json").json
    assert [row["tenant"] for row in until] == ["acme/search"]


def test_csv(gateway: Gateway, post: Post) -> None:
    three(post)
    lines = gateway("usage", "--csv").out.splitlines()
    assert lines[0] == ",".join(["tenant", *COUNTS])
    assert lines[1] == "acme,1,100,0,0,20,0,0.000360000000,0"


def test_for_people(gateway: Gateway, post: Post) -> None:
    three(post)
    said = gateway("usage")
    assert said.out.splitlines()[1].split()[:2] == ["acme", "1"]
    assert said.err == "total 0.000720000000 USD\n"


def test_mistakes(gateway: Gateway) -> None:
    said = gateway("usage", "--by", "tenant,team")
    assert (said.code, said.err) == (
        2,
        "gateway: --by takes tenant, model, day, key and tag:NAME, not 'team'\n",
    )
    assert gateway("usage", "--json", "--csv").code == 2
    assert gateway("usage", "--since", "soon").code == 2
    assert gateway("usage").code == 4
