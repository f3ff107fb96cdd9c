"""Entries as if they were hours of usage, with their tags beside them: sums by tag read these.

Hours know no tags: whoever says a new one with each request would make a row of each. Not here: the
sums (`reports`).
"""

from collections.abc import Iterable

from sqlalchemy import (
    JSON,
    BigInteger,
    Dialect,
    Subquery,
    case,
    cast,
    func,
    literal,
    select,
    type_coerce,
)

from gateway.adapters import schema
from gateway.adapters.rows import UNPRICED_MODEL

TAG = "tag:"  # what stands before a tag's name where usage is told apart by it
_TOKENS = (
    "input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens",
)  # fmt: skip


def tagged_usage(groups: Iterable[str], dialect: Dialect) -> Subquery:
    """One row an entry, with the columns of `schema.usage_hour` and one for each `tag:NAME`.

    What became known of a cost later is in it, as it is in the hours. An entry without the tag has
    NULL there.
    """
    table, adjustment = schema.entry.c, schema.adjustment.c
    later = (
        # a sum is a decimal number to PostgreSQL, whose quotients are no whole ones
        select(cast(func.sum(adjustment.delta_pusd), BigInteger))
        .where(adjustment.request_id == table.request_id)
        .scalar_subquery()
    )
    # SQLite reads JSON out of text, and would make a number of it if told to cast.
    read = cast if dialect.name == "postgresql" else type_coerce
    tags = read(table.tags, JSON)
    return select(
        (table.created_at_us // schema.HOUR_US).label("hour"),
        table.tenant,
        table.key_id,
        func.coalesce(table.priced_model, UNPRICED_MODEL).label("model"),
        literal(1).label("requests"),
        *(func.coalesce(table[name], 0).label(name) for name in _TOKENS),
        (func.coalesce(table.cost_pusd, 0) + func.coalesce(later, 0)).label("cost_pusd"),
        case((table.cost_pusd.is_(None), 1), else_=0).label("unpriced"),
        *(
            tags[group.removeprefix(TAG)].as_string().label(group)
            for group in groups
            if group.startswith(TAG)
        ),
    ).subquery()
