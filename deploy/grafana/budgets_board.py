# ruff: noqa: INP001 -- beside a script that is run by its path, not in a package
"""The board for who sets limits: what budgets come to, and what limits and policies did."""

from drawing import Panel
from phrases import (
    MODEL,
    OF_ALL,
    SHARE,
    USD,
    WHO,
    dearest,
    fullest,
    happened,
    of_budgets,
    rate,
    share,
)

NO_MONEY = f'{WHO}, reason=~"insufficient_quota|budget_held"'
HOURS_LEFT = f'tenant_budget:gateway_budget_left:hours{{{OF_ALL}, tenant=~"$tenant"}}'
LEFT = f"{of_budgets('limit_usd')} - {of_budgets('spent_usd')} - {of_budgets('held_usd')}"


STATS = (
    Panel(
        title="Budgets in force",
        description="How many budgets there are (gateway_budget_limit_usd); those beyond the cap "
        "of labels are one.",
        exprs={"budgets": f"count({of_budgets('limit_usd')})"},
        unit="short",
        decimals=0,
    ),
    Panel(
        title="The fullest budget",
        description="The largest part that is spent or held of a budget's limit "
        "(gateway_budget_spent_usd, gateway_budget_held_usd, gateway_budget_limit_usd).",
        exprs={"taken": f"max({fullest()})"},
        unit=SHARE,
        decimals=1,
        steps=((0.8, "orange"), (0.95, "red")),
    ),
    Panel(
        title="Held for requests under way",
        description="Put aside in all budgets (gateway_budget_held_usd). A request counts in every "
        "budget on its tenant's path.",
        exprs={"held": f"sum({of_budgets('held_usd')})"},
        unit=USD,
    ),
    Panel(
        title="Cost past a hold",
        description="What requests cost beyond their hold, or what was spent when a limit was "
        "lowered, in all current periods (gateway_budget_excess_usd). Anything but 0 wants a look.",
        exprs={"excess": f"sum({of_budgets('excess_usd')})"},
        unit=USD,
        steps=((1e-9, "red"),),
    ),
    Panel(
        title="Refused for want of money",
        description="Requests in the chosen time for which a budget had nothing left "
        "(gateway_refusals_total, reasons insufficient_quota and budget_held).",
        exprs={"requests": happened("gateway_refusals_total", NO_MONEY)},
        unit="short",
        decimals=0,
    ),
    Panel(
        title="Cut by an output limit",
        description="The share of requests whose output reached a limit, whosever it was "
        "(gateway_truncated_total of gateway_requests_total). The limit is not known by tenant.",
        exprs={
            "share": share(
                rate("gateway_truncated_total", MODEL), rate("gateway_requests_total", MODEL)
            )
        },
        unit=SHARE,
        decimals=1,
    ),
)
CHARTS = (
    Panel(
        title="Taken of the limit",
        description="What is spent or held of each budget's current period, of its limit "
        "(gateway_budget_spent_usd, gateway_budget_held_usd, gateway_budget_limit_usd); the 20 "
        "fullest.",
        exprs={"{{tenant}} {{budget}}": f"sort_desc({dearest(fullest())})"},
        unit=SHARE,
        kind="bargauge",
        is_instant=True,
        steps=((0.8, "orange"), (0.95, "red")),
    ),
    Panel(
        title="Left",
        description="What each budget can still hold (gateway_budget_limit_usd less "
        "gateway_budget_spent_usd and gateway_budget_held_usd); the 20 smallest. Below 0: a soft "
        "budget is overdrawn.",
        exprs={"{{tenant}} {{budget}}": f"sort(bottomk(20, {LEFT}))"},
        unit=USD,
        kind="bargauge",
        is_instant=True,
        may_be_negative=True,
    ),
    Panel(
        title="Burn-down",
        description="What is left of each budget over time (gateway_budget_limit_usd less "
        "gateway_budget_spent_usd and gateway_budget_held_usd); the 20 smallest.",
        exprs={"{{tenant}} {{budget}}": f"bottomk(20, {LEFT})"},
        unit=USD,
        may_be_negative=True,
    ),
    Panel(
        title="Hours until nothing is left",
        description="At the pace of the last hour; only budgets that are being spent "
        "(the recorded tenant_budget:gateway_budget_left:hours).",
        exprs={"{{tenant}} {{budget}}": f"sort(bottomk(20, {HOURS_LEFT}))"},
        unit="h",
        kind="bargauge",
        is_instant=True,
    ),
    Panel(
        title="Held",
        description="What is put aside for requests under way (gateway_budget_held_usd); the 20 "
        "largest. Much of it beside little spent: holds are loose, see `gateway holds list`.",
        exprs={"{{tenant}} {{budget}}": dearest(of_budgets("held_usd"))},
        unit=USD,
    ),
    Panel(
        title="Until a new period begins",
        description="When each budget starts anew (gateway_budget_reset_timestamp_seconds); none "
        "for a total. The 20 soonest.",
        exprs={
            "{{tenant}} {{budget}}": "sort(bottomk(20, "
            f"{of_budgets('reset_timestamp_seconds')} - time()))"
        },
        unit="s",
        kind="bargauge",
        is_instant=True,
    ),
    Panel(
        title="Refusals by reason",
        description="Requests that were not sent, by our error code (gateway_refusals_total).",
        exprs={"{{reason}}": rate("gateway_refusals_total", WHO, by="reason")},
        unit="reqps",
        is_stacked=True,
    ),
    Panel(
        title="Refusals by tenant",
        description="Requests that were not sent (gateway_refusals_total); the 20 most refused.",
        exprs={"{{tenant}}": dearest(rate("gateway_refusals_total", WHO, by="tenant"))},
        unit="reqps",
    ),
    Panel(
        title="Cut by an output limit, by whose",
        description="The share of requests whose output reached the client's own limit, the "
        "policy's, what a budget could pay, or the model's (gateway_truncated_total of "
        "gateway_requests_total).",
        exprs={
            "{{limit}}": f"{rate('gateway_truncated_total', MODEL, 'limit')}"
            f" / on () group_left () ({rate('gateway_requests_total', MODEL)} > 0)"
        },
        unit=SHARE,
        is_stacked=True,
    ),
    Panel(
        title="Cut by an output limit, by model",
        description="The share of a model's requests whose output reached a limit "
        "(gateway_truncated_total of gateway_requests_total).",
        exprs={
            "{{model}}": share(
                rate("gateway_truncated_total", MODEL, "model"),
                rate("gateway_requests_total", MODEL, "model"),
            )
        },
        unit=SHARE,
    ),
    Panel(
        title="What policies set",
        description="Fields of requests that a policy changed (gateway_clamped_total).",
        exprs={"{{field}}": rate("gateway_clamped_total", WHO, by="field")},
        unit="reqps",
        is_stacked=True,
    ),
    Panel(
        title="Alerts told",
        description="Attempts to tell the webhook that a budget passed a threshold "
        "(gateway_alerts_total): delivered or failed.",
        exprs={"{{result}}": rate("gateway_alerts_total", by="result")},
        unit="ops",
    ),
)
