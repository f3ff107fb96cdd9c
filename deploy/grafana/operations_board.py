# ruff: noqa: INP001 -- beside a script that is run by its path, not in a package
"""The board for who keeps it running: traffic, errors, times, streams, the upstream, the ledger."""

from drawing import Panel
from phrases import MODEL, PLACE, SHARE, WHAT, happened, quantile, quantiles, rate, share

BROKEN = f'{PLACE}, status=~"5.."'
ANSWERS = "gateway_http_requests_total"
OVERHEAD = "gateway_overhead_seconds"

STATS = (
    Panel(
        title="Gateways that answer",
        description="How many of those that are scraped can be reached (up).",
        exprs={"up": f"sum(up{{{PLACE}}})"},
        unit="short",
        decimals=0,
        steps=((0, "red"), (1, "green")),
    ),
    Panel(
        title="Alerts that fire",
        description="Of the gateway's rules (ALERTS). Each has a runbook in deploy/runbooks.",
        exprs={"alerts": 'count(ALERTS{alertname=~"Gateway.*", alertstate="firing"}) or vector(0)'},
        unit="short",
        decimals=0,
        steps=((1, "red"),),
    ),
    Panel(
        title="Requests a second",
        description="Answers of any kind (gateway_http_requests_total).",
        exprs={"answers": rate(ANSWERS)},
        unit="reqps",
    ),
    Panel(
        title="Answers with a server error",
        description="The share of answers with a status from 500 on, ours or passed on from the "
        "upstream (gateway_http_requests_total).",
        exprs={"share": share(rate(ANSWERS, BROKEN), rate(ANSWERS)) + " or vector(0)"},
        unit=SHARE,
        decimals=2,
        steps=((0.01, "orange"), (0.05, "red")),
    ),
    Panel(
        title="First token, p95",
        description="From a request's arrival to the first output of its stream "
        "(gateway_time_to_first_token_seconds).",
        exprs={"p95": quantile(0.95, "gateway_time_to_first_token_seconds", MODEL)},
        unit="s",
    ),
    Panel(
        title="The gateway's own time, p99",
        description="The slowest of its stages (gateway_overhead_seconds): authentication, policy, "
        "hold and settlement.",
        exprs={"p99": f"max({quantile(0.99, OVERHEAD, PLACE, 'le, stage')})"},
        unit="s",
    ),
    Panel(
        title="Requests under way",
        description="Of any kind, draining ones included (gateway_active_requests).",
        exprs={"requests": f"sum(gateway_active_requests{{{PLACE}}})"},
        unit="short",
        decimals=0,
    ),
    Panel(
        title="Waiting for the database",
        description="What the journals keep until the database answers again "
        "(gateway_journal_bytes). Anything but 0 wants a look.",
        exprs={"bytes": f"sum(gateway_journal_bytes{{{PLACE}}})"},
        unit="bytes",
        steps=((1, "orange"),),
    ),
)
TRAFFIC = (
    Panel(
        title="Answers by status",
        description="Answers of any kind (gateway_http_requests_total).",
        exprs={"{{status}}": rate(ANSWERS, by="status")},
        unit="reqps",
        is_stacked=True,
    ),
    Panel(
        title="Answers by route",
        description="Answers of any kind, by the template of their path "
        "(gateway_http_requests_total).",
        exprs={"{{method}} {{route}}": rate(ANSWERS, by="method, route")},
        unit="reqps",
        is_stacked=True,
    ),
    Panel(
        title="Exchanges by outcome",
        description="How those that were sent ended (gateway_requests_total).",
        exprs={"{{outcome}}": rate("gateway_requests_total", WHAT, by="outcome")},
        unit="reqps",
        is_stacked=True,
    ),
    Panel(
        title="Refusals by reason",
        description="Requests that were not sent, by our error code (gateway_refusals_total).",
        exprs={"{{reason}}": rate("gateway_refusals_total", by="reason")},
        unit="reqps",
        is_stacked=True,
    ),
)
TIMES = (
    Panel(
        title="Time to the first token",
        description="From a request's arrival to the first output of its stream "
        "(gateway_time_to_first_token_seconds).",
        exprs=quantiles("gateway_time_to_first_token_seconds", MODEL),
        unit="s",
    ),
    Panel(
        title="Time to the first token by model, p95",
        description="From a request's arrival to the first output of its stream "
        "(gateway_time_to_first_token_seconds); models without traffic are left out.",
        exprs={
            "{{model}}": quantile(0.95, "gateway_time_to_first_token_seconds", MODEL, "le, model")
            + " >= 0"
        },
        unit="s",
    ),
    Panel(
        title="Time per output token",
        description="Mean time between the output tokens of a stream "
        "(gateway_time_per_output_token_seconds).",
        exprs=quantiles("gateway_time_per_output_token_seconds", MODEL),
        unit="s",
    ),
    Panel(
        title="Duration",
        description="From a request's arrival to its settlement "
        "(gateway_request_duration_seconds). Long answers take long: the gateway's own part is "
        "beside it.",
        exprs=quantiles("gateway_request_duration_seconds", MODEL),
        unit="s",
    ),
    Panel(
        title="The gateway's own time by stage, p99",
        description="What it adds to a request (gateway_overhead_seconds). Hold and settlement "
        "wait for the database's commit.",
        exprs={"{{stage}}": quantile(0.99, OVERHEAD, PLACE, "le, stage") + " >= 0"},
        unit="s",
    ),
    Panel(
        title="Requests under way by kind",
        description="Streams, whole answers, those that are read on for clients that left, and "
        "background responses (gateway_active_requests).",
        exprs={"{{kind}}": f"sum by (kind) (gateway_active_requests{{{PLACE}}})"},
        unit="short",
        is_stacked=True,
    ),
)
BREAKS = (
    Panel(
        title="Streams that broke",
        description="By who ended them, and how far they were (gateway_stream_aborts_total).",
        exprs={"{{side}} {{phase}}": rate("gateway_stream_aborts_total", by="side, phase")},
        unit="ops",
        is_stacked=True,
    ),
    Panel(
        title="Attempts upstream",
        description="Requests sent, by what came of them (gateway_upstream_attempts_total).",
        exprs={
            "{{upstream}} {{result}}": rate(
                "gateway_upstream_attempts_total", by="upstream, result"
            )
        },
        unit="reqps",
        is_stacked=True,
    ),
    Panel(
        title="Upstreams that answer",
        description="1 when the last request got an answer (gateway_upstream_healthy); the least "
        "of all instances.",
        exprs={"{{upstream}}": f"min by (upstream) (gateway_upstream_healthy{{{PLACE}}})"},
        unit="short",
        decimals=0,
    ),
    Panel(
        title="Ends that were not seen",
        description="Holds whose response was asked for later, by what was learned "
        "(gateway_holds_expired_total): worst_case is money that is only an estimate.",
        exprs={"{{resolution}}": rate("gateway_holds_expired_total", by="resolution")},
        unit="ops",
    ),
)
LEDGER = (
    Panel(
        title="Ledger: a transaction",
        description="How long a batch takes to be durable (gateway_ledger_batch_seconds).",
        exprs=quantiles("gateway_ledger_batch_seconds", PLACE),
        unit="s",
    ),
    Panel(
        title="Ledger: what waits",
        description="Holds and settlements that wait for the writer (gateway_ledger_queue_depth).",
        exprs={"{{instance}}": f"sum by (instance) (gateway_ledger_queue_depth{{{PLACE}}})"},
        unit="short",
    ),
    Panel(
        title="Failures of what keeps the books",
        description="Batches that did not commit (gateway_ledger_failures_total), and times the "
        "store of limits per minute did not answer (gateway_store_failures_total).",
        exprs={
            "ledger": rate("gateway_ledger_failures_total"),
            "store": rate("gateway_store_failures_total"),
        },
        unit="ops",
    ),
    Panel(
        title="Journal",
        description="What is kept on disk for a database that does not answer "
        "(gateway_journal_bytes).",
        exprs={"{{instance}}": f"sum by (instance) (gateway_journal_bytes{{{PLACE}}})"},
        unit="bytes",
    ),
    Panel(
        title="Labels beyond their cap",
        description="Values that were folded into `other` in the chosen time "
        "(gateway_label_overflow_total): figures by that label are then not all told apart.",
        exprs={
            "{{label}}": f"sum by (label) (increase(gateway_label_overflow_total{{{PLACE}}}"
            "[$__range]))"
        },
        unit="short",
        kind="bargauge",
        is_instant=True,
    ),
    Panel(
        title="Cost that is not known",
        description="Requests in the chosen time without a price "
        "(gateway_unpriced_requests_total) or without usage (gateway_usage_missing_total).",
        exprs={
            "without a price": happened("gateway_unpriced_requests_total"),
            "without usage": happened("gateway_usage_missing_total"),
        },
        unit="short",
        kind="bargauge",
        is_instant=True,
    ),
    Panel(
        title="What runs",
        description="Gateways by version (gateway_build_info).",
        exprs={
            "{{version}}, Python {{python}}": "count by (version, python) "
            f"(gateway_build_info{{{PLACE}}})"
        },
        unit="short",
        kind="bargauge",
        is_instant=True,
    ),
)
CHARTS = (*TRAFFIC, *TIMES, *BREAKS, *LEDGER)
