"""Truth that comes late: an entry was posted at its hold, and then its cost became known.

An entry is never rewritten. What it is off by is written beside it, once, and goes to the budgets
and the hour in which it counts. Not here: who brings the truth (a journal, another process).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, select

from gateway.adapters import schema
from gateway.adapters.database import insert_into
from gateway.adapters.rows import UNPRICED_MODEL, Row, Value, legs_from_text
from gateway.adapters.work import Settled
from gateway.core.budget import Leg
from gateway.core.exchange import Basis

LATE_TRUTH = "late_truth"
_GUESS = Basis.WORST_CASE.value  # every other basis is the truth, also that nothing was used
_COUNTS = tuple(column.name for column in schema.usage_hour.columns if not column.primary_key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What an entry's budgets and hour are off by."""

    legs: tuple[Leg, ...]
    delta_pusd: int
    cell: Row
    counts: tuple[int, ...]


def is_truth(late: Settled) -> bool:
    """Whether it says what an entry at its worst case has cost in truth."""
    return late.basis != _GUESS and late.cost_pusd is not None


def corrections(
    connection: Connection, late: Sequence[Settled], *, now_us: int
) -> list[Correction]:
    """Write down what late settlements say of entries that were the worst case; each once."""
    true: dict[Value, Settled] = {}
    for one in late:
        if is_truth(one):
            true.setdefault(one.row[0], one)
    if not true:
        return []
    table = schema.entry.c
    query = select(schema.entry).where(
        table.request_id.in_(true),
        table.basis == _GUESS,
        table.cost_pusd.is_not(None),
    )
    rows = connection.execute(query.order_by(table.request_id)).mappings().all()
    found = []
    for row in rows:
        truth = true[row["request_id"]]
        correction = _correction(row, truth.spent_pusd - row["cost_pusd"])
        if _is_new(connection, truth, correction.delta_pusd, now_us):
            found.append(correction)
    return found


def _correction(entry: RowMapping, delta_pusd: int) -> Correction:
    counts = tuple(delta_pusd if name == "cost_pusd" else 0 for name in _COUNTS)
    legs = legs_from_text(entry["legs"])
    return Correction(legs=legs, delta_pusd=delta_pusd, cell=cell_of(entry), counts=counts)


def cell_of(entry: RowMapping) -> Row:
    """The hour in which an entry counts, by the key of its row."""
    return (
        entry["created_at_us"] // schema.HOUR_US,
        entry["tenant"],
        entry["key_id"],
        entry["priced_model"] or UNPRICED_MODEL,
        entry["service_tier"] or "",
    )


def _is_new(connection: Connection, truth: Settled, delta_pusd: int, now_us: int) -> bool:
    statement = insert_into(schema.adjustment, connection.dialect).values(
        request_id=truth.row[0],
        kind=LATE_TRUTH,
        delta_pusd=delta_pusd,
        at_us=now_us,
        note="its cost became known after it had been posted at the hold",
        **truth.explained,
    )
    written = statement.on_conflict_do_nothing().returning(schema.adjustment.c.request_id)
    return connection.execute(written).first() is not None
