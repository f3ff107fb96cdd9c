# ruff: noqa: INP001, S608 -- beside a script, not in a package; made of its own words alone
"""The board of the ledger itself, in SQL: every figure is the books' own, to the picodollar.

The hour is what the ledger adds up by, so whole hours count: those that the chosen time touches.
The same statements run on SQLite.
"""

from drawing import Panel
from phrases import SHARE, USD

HOURS = "hour BETWEEN $__unixEpochFrom() / 3600 AND $__unixEpochTo() / 3600"
TENANT = "tenant IN (${tenant:sqlstring})"
USED = f"{HOURS} AND {TENANT} AND model IN (${{model:sqlstring}})"
SINCE = "created_at_us >= $__unixEpochFrom() / 3600 * 3600000000"
UNTIL = "created_at_us < ($__unixEpochTo() / 3600 + 1) * 3600000000"
PRICED = "COALESCE(priced_model, 'other')"
POSTED = f"{SINCE} AND {UNTIL} AND {TENANT} AND {PRICED} IN (${{model:sqlstring}})"
# At least `other`, which is what the ledger calls a model without a price.
MODELS = f"SELECT DISTINCT model FROM usage_hour WHERE {HOURS} UNION SELECT 'other' ORDER BY 1"
TENANTS = "SELECT path FROM tenant ORDER BY path"
FIGURES = {"requests": "short", "tokens": "short", "cached share": SHARE, "USD per 1,000": USD}


def usd(column: str) -> str:
    """A sum in dollars; each part first, for a sum of picodollars may leave 64 bits on SQLite."""
    return f"COALESCE(SUM({column} * 0.000000000001), 0)"


def count(column: str) -> str:
    return f"COALESCE(SUM({column}), 0)"


def by(group: str, name: str) -> str:
    """A line for each value: what was asked, what was read and written, and what it cost."""
    return f"""SELECT {group} AS "{name}",
  {count("requests")} AS "requests",
  {count("input_tokens")} + {count("output_tokens")} AS "tokens",
  SUM(cached_tokens) * 1.0 / NULLIF(SUM(input_tokens), 0) AS "cached share",
  1000 * {usd("cost_pusd")} / NULLIF(SUM(requests), 0) AS "USD per 1,000",
  {usd("cost_pusd")} AS "cost"
FROM usage_hour
WHERE {USED}
GROUP BY {group}
ORDER BY "cost" DESC
LIMIT 100"""


def over_time(seconds: int, group: str) -> str:
    """The cost of each hour, or day."""
    hours = seconds // 3600
    return f"""SELECT hour / {hours} * {seconds} AS "time", {group} AS "metric",
  {usd("cost_pusd")} AS "cost"
FROM usage_hour
WHERE {USED}
GROUP BY hour / {hours}, {group}
ORDER BY "time", "metric\""""


def single(what: str, name: str, table: str, where: str) -> str:
    return f'SELECT {what} AS "{name}"\nFROM {table}\nWHERE {where}'


ADJUSTED = f"""SELECT COALESCE(SUM(adjustment.delta_pusd), 0)
  FROM adjustment JOIN entry ON entry.request_id = adjustment.request_id
  WHERE {POSTED}"""
AGREE = f"""SELECT (
  (SELECT COALESCE(SUM(cost_pusd), 0) FROM usage_hour WHERE {USED})
  - (SELECT COALESCE(SUM(cost_pusd), 0) FROM entry WHERE {POSTED})
  - ({ADJUSTED})
) * 0.000000000001 AS "difference\""""
ENTRY = f"""SELECT request_id AS "request", created_at_us / 1000 AS "at", tenant, key_id AS "key",
  model, service_tier AS "tier", outcome, basis, input_tokens AS "input",
  cached_tokens AS "cached", output_tokens AS "output",
  hold_pusd * 0.000000000001 AS "hold", cost_pusd * 0.000000000001 AS "cost",
  problem
FROM entry
WHERE {POSTED}"""
BUDGETS = """SELECT budget.subject AS "budget", budget.period, budget.models AS "models",
  now.limit_pusd * 0.000000000001 AS "limit", now.spent_pusd * 0.000000000001 AS "spent",
  now.held_pusd * 0.000000000001 AS "held", now.excess_pusd * 0.000000000001 AS "excess",
  (now.limit_pusd - now.spent_pusd - now.held_pusd) * 0.000000000001 AS "left",
  now.period_start_us / 1000 AS "since"
FROM budget JOIN budget_period AS now ON now.budget_id = budget.id
LEFT JOIN api_key ON api_key.id = budget.subject
WHERE budget.ended_at_us IS NULL
  AND COALESCE(api_key.tenant, budget.subject) IN (${tenant:sqlstring})
  AND now.period_start_us = (
    SELECT MAX(begun.period_start_us) FROM budget_period AS begun
    WHERE begun.budget_id = budget.id
  )
ORDER BY "left"
LIMIT 100"""
METERS = f"""SELECT meter AS "meter", SUM(quantity) AS "quantity", {usd("cost_pusd")} AS "cost"
FROM entry_line
WHERE {POSTED}
GROUP BY meter
ORDER BY "cost" DESC"""
# Both prices are those that the request was billed at; without uncached input there is no other.
SAVED = f"""SELECT cached.model AS "model", SUM(cached.quantity) AS "cached tokens",
  SUM(cached.quantity * (plain.unit_price_pusd - cached.unit_price_pusd) * 0.000000000001)
    AS "saved"
FROM (SELECT request_id, {PRICED} AS model, quantity, unit_price_pusd FROM entry_line
  WHERE {POSTED} AND meter = 'input_cached') AS cached
JOIN (SELECT request_id, unit_price_pusd FROM entry_line
  WHERE {POSTED} AND meter = 'input') AS plain ON plain.request_id = cached.request_id
GROUP BY cached.model
ORDER BY "saved" DESC"""
MOMENTS = {"at": "dateTimeAsIso", "since": "dateTimeAsIso"}
TOKENS = dict.fromkeys(("input", "cached", "output", "requests", "quantity"), "short")

STATS = (
    Panel(
        title="Cost",
        description="Of the hours that the chosen time touches (usage_hour). Adjustments count.",
        sql=single(usd("cost_pusd"), "cost", "usage_hour", USED),
        unit=USD,
    ),
    Panel(
        title="Requests",
        description="Entries of the ledger in these hours (usage_hour).",
        sql=single(count("requests"), "requests", "usage_hour", USED),
        unit="short",
        decimals=0,
    ),
    Panel(
        title="Without a cost",
        description="Entries that met something without a price (usage_hour): see "
        "`gateway prices reprice`.",
        sql=single(count("unpriced"), "unpriced", "usage_hour", USED),
        unit="short",
        decimals=0,
        steps=((1, "red"),),
    ),
    Panel(
        title="Held now",
        description="For requests under way, of all models (hold).",
        sql=single(usd("hold_pusd"), "held", "hold", TENANT),
        unit=USD,
    ),
    Panel(
        title="Learned later",
        description="What adjustments changed of these entries (adjustment): late truth, and "
        "prices that came after.",
        sql=f'SELECT ({ADJUSTED}) * 0.000000000001 AS "adjusted"',
        unit=USD,
        may_be_negative=True,
    ),
    Panel(
        title="The books differ by",
        description="The hours' sum (usage_hour) less that of the entries (entry) and their "
        "adjustments (adjustment). Anything but 0 is a defect, while no entry was pruned.",
        sql=AGREE,
        unit=USD,
        may_be_negative=True,
        steps=((1e-12, "red"),),
    ),
)
CHARTS = (
    Panel(
        title="Cost by hour and model",
        description="Exact (usage_hour); the hour is that of the request.",
        sql=over_time(3600, "model"),
        unit=USD,
        is_stacked=True,
    ),
    Panel(
        title="Cost by day and tenant",
        description="Exact (usage_hour); days in UTC, each tenant's own.",
        sql=over_time(86400, "tenant"),
        unit=USD,
        is_stacked=True,
    ),
    Panel(
        title="By tenant",
        description="Each tenant's own, the 100 dearest (usage_hour).",
        sql=by("tenant", "tenant"),
        unit=USD,
        units=FIGURES,
        kind="table",
    ),
    Panel(
        title="By model",
        description="By the price book's name (usage_hour).",
        sql=by("model", "model"),
        unit=USD,
        units=FIGURES,
        kind="table",
    ),
    Panel(
        title="By key",
        description="The 100 dearest (usage_hour); `gateway keys list` has their names.",
        sql=by("key_id", "key"),
        unit=USD,
        units=FIGURES,
        kind="table",
    ),
    Panel(
        title="Budgets",
        description="The newest period of each budget in force (budget, budget_period); the 100 "
        "with the least left.",
        sql=BUDGETS,
        unit=USD,
        units=MOMENTS,
        kind="table",
        may_be_negative=True,
    ),
    Panel(
        title="Cost by meter",
        description="What is paid for: input, cached input, output, reasoning, tools (the lines "
        "of entry, entry_line). It reads every entry of these hours.",
        sql=METERS,
        unit=USD,
        units=TOKENS,
        kind="table",
    ),
    Panel(
        title="What the cache saved",
        description="Cached input at the price of other input, less what it cost (the lines of "
        "entry, entry_line). It reads every entry of these hours.",
        sql=SAVED,
        unit=USD,
        units={"cached tokens": "short"},
        kind="table",
    ),
    Panel(
        title="By outcome and basis",
        description="How exchanges ended and where their usage comes from (entry).",
        sql=f"""SELECT outcome, basis, COUNT(*) AS "requests", {usd("cost_pusd")} AS "cost"
FROM entry
WHERE {POSTED}
GROUP BY outcome, basis
ORDER BY "requests" DESC""",
        unit=USD,
        units=TOKENS,
        kind="table",
    ),
    Panel(
        title="The dearest requests",
        description="As they were posted, without adjustments (entry). `gateway request ID` has "
        "the whole bill.",
        sql=f"{ENTRY}\nORDER BY COALESCE(cost_pusd, hold_pusd) DESC\nLIMIT 50",
        unit=USD,
        units={**MOMENTS, **TOKENS},
        kind="table",
    ),
    Panel(
        title="Requests whose cost is not exact",
        description="Entries with a problem, or posted at their hold because nothing could be "
        "learned (entry); the newest 50.",
        sql=f"{ENTRY} AND (problem IS NOT NULL OR basis = 'worst_case' OR cost_pusd IS NULL)\n"
        "ORDER BY created_at_us DESC\nLIMIT 50",
        unit=USD,
        units={**MOMENTS, **TOKENS},
        kind="table",
        columns=24,
    ),
)
