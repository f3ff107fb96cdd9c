# ruff: noqa: INP001 -- beside a script that is run by its path, not in a package
"""The board for who pays: what the requests through the gateway cost, and whose money it was."""

from drawing import Panel
from phrases import (
    SHARE,
    USD,
    WHAT,
    dearest,
    from_ledger,
    fullest,
    happened,
    rate,
    share,
)

ELAPSED = "((day_of_month() - 1) * 86400 + hour() * 3600 + minute() * 60)"
PROJECTED = f"{from_ledger('month')} * scalar(days_in_month() * 86400 / clamp_min({ELAPSED}, 3600))"


def per_thousand(by: str = "") -> str:
    cost = rate("gateway_cost_usd_total", WHAT, by)
    return f"1000 * {share(cost, rate('gateway_requests_total', WHAT, by))}"


def cached_share(by: str = "") -> str:
    cached = rate("gateway_tokens_total", f'{WHAT}, type="input_cached"', by)
    return share(cached, rate("gateway_tokens_total", f'{WHAT}, type=~"input.*"', by))


def an_hour(metric: str, by: str = "") -> str:
    return f"3600 * {rate(metric, WHAT, by)}"


STATS = (
    Panel(
        title="Cost today",
        description="Exact, from the ledger (gateway_cost_usd): since midnight UTC. All models.",
        exprs={"today": from_ledger("today")},
        unit=USD,
    ),
    Panel(
        title="Cost this month",
        description="Exact, from the ledger (gateway_cost_usd): since the first, UTC. All models.",
        exprs={"month": from_ledger("month")},
        unit=USD,
    ),
    Panel(
        title="This month, if it goes on",
        description="The cost so far (gateway_cost_usd), and the rest of the month at its mean "
        "pace. On the first day it says little.",
        exprs={"month": PROJECTED},
        unit=USD,
    ),
    Panel(
        title="Cost an hour, now",
        description="What the present pace costs (gateway_cost_usd_total as a rate).",
        exprs={"now": an_hour("gateway_cost_usd_total")},
        unit=USD,
    ),
    Panel(
        title="Cost of 1,000 requests",
        description="Cost over requests of any outcome (gateway_cost_usd_total, "
        "gateway_requests_total). Empty without traffic.",
        exprs={"mean": per_thousand()},
        unit=USD,
    ),
    Panel(
        title="Cached share of input",
        description="Input tokens read from the cache, of all input tokens "
        "(gateway_tokens_total). Empty without traffic.",
        exprs={"share": cached_share()},
        unit=SHARE,
        decimals=1,
    ),
    Panel(
        title="The cache saves an hour",
        description="What cached input tokens would cost beyond their price if they were not "
        "cached, at the present pace (gateway_cached_saved_usd_total as a rate). What writing to "
        "the cache costs is not taken off.",
        exprs={"now": an_hour("gateway_cached_saved_usd_total")},
        unit=USD,
    ),
    Panel(
        title="Without a price or usage",
        description="Requests in the chosen time whose cost is not known: no price "
        "(gateway_unpriced_requests_total) or no usage (gateway_usage_missing_total). "
        "Anything but 0 wants a look.",
        exprs={
            "requests": f"{happened('gateway_unpriced_requests_total')}"
            f" + {happened('gateway_usage_missing_total')}"
        },
        unit="short",
        decimals=0,
    ),
)
CHARTS = (
    Panel(
        title="Cost this month by tenant",
        description="Exact, from the ledger (gateway_cost_usd): each tenant's own, the 20 dearest.",
        exprs={"{{tenant}}": from_ledger("month", by="tenant")},
        unit=USD,
        kind="bargauge",
        is_instant=True,
    ),
    Panel(
        title="Budgets: taken of the limit",
        description="What is spent or held of each budget's current period, of its limit "
        "(gateway_budget_spent_usd, gateway_budget_held_usd, gateway_budget_limit_usd); the 20 "
        "fullest. Empty without budgets.",
        exprs={"{{tenant}} {{budget}}": f"sort_desc({dearest(fullest())})"},
        unit=SHARE,
        kind="bargauge",
        is_instant=True,
        steps=((0.8, "orange"), (0.95, "red")),
    ),
    Panel(
        title="Cost an hour by model",
        description="The pace of spending (gateway_cost_usd_total as a rate, times an hour).",
        exprs={"{{model}}": an_hour("gateway_cost_usd_total", by="model")},
        unit=USD,
        is_stacked=True,
    ),
    Panel(
        title="Cost an hour by tenant",
        description="The pace of spending (gateway_cost_usd_total as a rate, times an hour); the "
        "20 dearest.",
        exprs={"{{tenant}}": dearest(an_hour("gateway_cost_usd_total", by="tenant"))},
        unit=USD,
        is_stacked=True,
    ),
    Panel(
        title="Cost of 1,000 requests by model",
        description="Cost over requests of any outcome (gateway_cost_usd_total, "
        "gateway_requests_total).",
        exprs={"{{model}}": per_thousand(by="model")},
        unit=USD,
    ),
    Panel(
        title="Tokens by type",
        description="Disjoint, so that they add up to all tokens (gateway_tokens_total).",
        exprs={"{{type}}": rate("gateway_tokens_total", WHAT, by="type")},
        unit="suffix: tokens/s",
        is_stacked=True,
    ),
    Panel(
        title="Cached share of input by model",
        description="Input tokens read from the cache, of all input tokens (gateway_tokens_total).",
        exprs={"{{model}}": cached_share(by="model")},
        unit=SHARE,
    ),
    Panel(
        title="The cache saves an hour, by model",
        description="What cached input would cost beyond its price "
        "(gateway_cached_saved_usd_total as a rate, times an hour).",
        exprs={"{{model}}": an_hour("gateway_cached_saved_usd_total", by="model")},
        unit=USD,
        is_stacked=True,
    ),
    Panel(
        title="Requests by outcome",
        description="How exchanges ended (gateway_requests_total).",
        exprs={"{{outcome}}": rate("gateway_requests_total", WHAT, by="outcome")},
        unit="reqps",
        is_stacked=True,
    ),
    Panel(
        title="Usage missing, by reason",
        description="Exchanges whose usage the upstream did not report "
        "(gateway_usage_missing_total); their hold stays spent until it is learned.",
        exprs={"{{reason}}": rate("gateway_usage_missing_total", by="reason")},
        unit="reqps",
    ),
)
