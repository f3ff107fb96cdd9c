"""Millions of entries that nobody paid for, made where they are kept, and what they come to."""

from sqlalchemy import Engine, text

from gateway.core.month import Month

TENANTS = 20  # each asks for every model in every hour
# A request's id is a UUIDv7: its moment, then what tells it from others.
_ENTRIES = """
WITH given AS (
    SELECT CAST(:tenants AS integer) AS tenants, CAST(:count AS integer) AS entries,
        CAST(:first AS bigint) AS first, CAST(:span AS bigint) AS span,
        ARRAY['gpt-5', 'gpt-5-mini', 'gpt-4.1'] AS models
), moment AS (
    SELECT n, n % tenants AS team, models[1 + n % 3] AS model,
        first + CAST(CAST(n AS numeric) * span / entries AS bigint) - 1 AS at_us,
        md5(CAST(n AS text) || first) AS noise
    FROM given, generate_series(1, entries) AS n
)
INSERT INTO entry (request_id, created_at_us, settled_at_us, tenant, key_id, endpoint, response_id,
    model, served_model, priced_model, service_tier, is_stream, outcome, client_gone, recoverable,
    basis, http_status, upstream_request_id, input_tokens, cached_tokens, cache_write_tokens,
    output_tokens, reasoning_tokens, cost_pusd, hold_pusd, price_version, lines, legs, tags,
    duration_us, first_byte_us)
SELECT
    substr(ms, 1, 8) || '-' || substr(ms, 9) || '-7' || substr(noise, 1, 3) || '-8'
        || substr(noise, 4, 3) || '-' || substr(noise, 7, 12),
    at_us, at_us + 4000000, 'org' || team / 4 || '/team' || team, 'k' || lpad(team_text, 11, '0'),
    'responses', 'resp_' || noise || substr(noise, 1, 16),
    model, model || '-2026-01-01', model, 'default', true, 'completed', false, false,
    'reported', 200, 'req_' || noise, 1000 + n % 500, n % 300, 0,
    200 + n % 90, n % 50, 3000000000 + n % 1000, 9000000000, '2026-11-22+0123456789ab',
    '[["input",1000,1250000,1250000000],["cached",200,125000,25000000],["output",200,10000000,'
        || '2000000000]]',
    '[]', '{"gw_agent":"OpenAI/Python","gw_session":"' || noise || '"}', 4000000, 400000
FROM moment, LATERAL (
    SELECT lpad(to_hex(at_us / 1000), 12, '0') AS ms, CAST(team AS text) AS team_text
) AS written"""
_HOURS = """
INSERT INTO usage_hour
SELECT created_at_us / 3600000000, tenant, key_id, priced_model, service_tier, count(*),
    sum(input_tokens), sum(cached_tokens), sum(cache_write_tokens), sum(output_tokens),
    sum(reasoning_tokens), sum(cost_pusd), 0
FROM entry WHERE request_id >= :low AND request_id < :high GROUP BY 1, 2, 3, 4, 5"""


def fill(engine: Engine, month: Month, count: int) -> None:
    """So many entries of a month, spread over it evenly."""
    first, after = month.start_us, month.plus(1)
    given = {"tenants": TENANTS, "first": first, "span": after.start_us - first, "count": count}
    with engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.execute(text(_ENTRIES), given)
        connection.execute(text(_HOURS), {"low": month.first_id, "high": after.first_id})
