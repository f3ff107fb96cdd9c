"""What is to be written: holds, response ids and settlements, one by one and as a batch by kind.

Not here: the statements that write them (`posting`, `pipeline`), or what they come to (`docket`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

from gateway.adapters import schema
from gateway.adapters.rows import (
    Row,
    Value,
    entry_row,
    legs_from_text,
    legs_text,
    owned_row,
    rollup_row,
)
from gateway.core.budget import ANY_TERMS, Leg, Terms
from gateway.core.exchange import Exchange
from gateway.core.item_keys import PERIOD_US, item_hashes
from gateway.core.ownership import Kind
from gateway.core.pinned import price_from_json

_HOLD = {name: index for index, name in enumerate(schema.hold.c.keys())}
_ENTRY = {name: index for index, name in enumerate(schema.entry.c.keys())}
_HOLD_PUSD, _HOLD_LEGS = _HOLD["hold_pusd"], _HOLD["legs"]
_ENTRY_HOLD_PUSD, _ENTRY_COST_PUSD = _ENTRY["hold_pusd"], _ENTRY["cost_pusd"]
_ENTRY_LEGS = _ENTRY["legs"]
# Of rows, by their columns, what `Claim` says.
_hold_claim = itemgetter(*map(_HOLD.get, ("tenant", "key_id", "model", "price", "created_at_us")))
_entry_claim = itemgetter(
    *map(_ENTRY.get, ("tenant", "key_id", "model", "priced_model", "created_at_us"))
)


class Claim(NamedTuple):
    """What of a request says which budgets it counts against."""

    tenant: str
    key_id: str
    model: str
    priced_model: str | None  # the price book's name of it
    at_us: int  # of its admission

    @property
    def models(self) -> set[str]:
        """The names of its model."""
        return {self.model} if self.priced_model is None else {self.model, self.priced_model}


# Not frozen, as what is made for every request: freezing makes it three times as dear.
@dataclass(slots=True, kw_only=True)
class Held:
    """A hold to be placed."""

    row: Row
    terms: Terms = ANY_TERMS
    is_sent: bool = False  # its request was let go without the database: nobody asks any more

    @property
    def hold_pusd(self) -> int:
        hold_pusd: int = self.row[_HOLD_PUSD]
        return hold_pusd

    @property
    def claim(self) -> Claim:
        tenant, key_id, model, price, at_us = _hold_claim(self.row)
        priced_model = None if price is None else price_from_json(price).name
        return Claim(tenant, key_id, model, priced_model, at_us)

    @property
    def tenant(self) -> str:
        return str(self.row[_HOLD["tenant"]])

    @property
    def key_id(self) -> str:
        return str(self.row[_HOLD["key_id"]])

    def placed_row(self, legs: tuple[Leg, ...]) -> Row:
        """The row as it is written."""
        return _with_legs(self.row, _HOLD_LEGS, legs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The upstream named its response."""

    request_id: str
    response_id: str


@dataclass(slots=True, kw_only=True)
class Settled:
    """An entry to be posted, its hold to go, its counts to be added to its hour."""

    row: Row
    cell: Row
    counts: tuple[int, ...]
    items: bytes = b""  # the hashes of those it answered with
    period: int = 0  # when, as `core.item_keys` counts
    owned: tuple[Row, ...] = ()  # what it made

    @property
    def legs(self) -> tuple[Leg, ...] | None:
        """What its hold said; None where that was placed without the database."""
        text = self.row[_ENTRY_LEGS]
        return None if text is None else legs_from_text(str(text))

    @property
    def claim(self) -> Claim:
        return Claim(*_entry_claim(self.row))

    @property
    def hold_pusd(self) -> int:
        hold_pusd: int = self.row[_ENTRY_HOLD_PUSD]
        return hold_pusd

    @property
    def cost_pusd(self) -> int | None:
        cost_pusd: int | None = self.row[_ENTRY_COST_PUSD]
        return cost_pusd

    @property
    def spent_pusd(self) -> int:
        """What it takes from budgets: a cost that is not known keeps its hold spent."""
        cost_pusd = self.cost_pusd
        return self.hold_pusd if cost_pusd is None else cost_pusd

    @property
    def explained(self) -> dict[str, Value]:
        """Its cost line by line, and whose prices these are."""
        return {name: self.row[_ENTRY[name]] for name in ("price_version", "lines")}

    @property
    def basis(self) -> str:
        return str(self.row[_ENTRY["basis"]])

    def posted_row(self, legs: tuple[Leg, ...]) -> Row:
        """The row as it is written."""
        if self.row[_ENTRY_LEGS] is not None:
            return self.row
        return _with_legs(self.row, _ENTRY_LEGS, legs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """A refusal to be kept for who asks."""

    row: Row


Kept = Held | Opened | Settled  # what the journal takes where the database does not
Posting = Kept | Noted


@dataclass(slots=True)
class Work:
    """A batch by kind, each id once."""

    held: dict[Value, Held] = field(default_factory=dict)
    opened: dict[str, str] = field(default_factory=dict)
    settled: dict[Value, Settled] = field(default_factory=dict)
    noted: list[Row] = field(default_factory=list)
    again: list[Settled] = field(default_factory=list)  # of ids that were settled before in it
    legs: dict[Value, tuple[Leg, ...]] = field(default_factory=dict)  # of what is held and settled

    def accounts(self) -> list[Leg]:
        """Every leg of the batch, in the order in which rows are locked."""
        return sorted({leg for legs in self.legs.values() for leg in legs})

    def late(self, fresh: Collection[Value]) -> list[Settled]:
        """Settlements of what was posted before, by this batch or another."""
        return [*(one for name, one in self.settled.items() if name not in fresh), *self.again]

    def items(self) -> list[Row]:
        """The rows of all items: one a period."""
        periods: dict[int, bytes] = {}
        for one in self.settled.values():
            if one.items:
                periods[one.period] = periods.get(one.period, b"") + one.items
        return list(periods.items())

    def owned(self) -> list[Row]:
        """The rows of all that was made, in their order."""
        return sorted({row for one in self.settled.values() for row in one.owned}, key=_first)

    def limited(self) -> list[str]:
        """Whose open holds are to be counted, in the order of locks."""
        return sorted(
            {limit.subject for held in self.held.values() for limit in held.terms.concurrency}
        )


def in_order(batch: Sequence[Posting]) -> Work:
    """By kind, each id once: the first of several counts, as it would have across batches."""
    work = Work()
    for posting in batch:
        if isinstance(posting, Held):
            work.held.setdefault(posting.row[0], posting)
        elif isinstance(posting, Settled):
            if work.settled.setdefault(posting.row[0], posting) is not posting:
                work.again.append(posting)
        elif isinstance(posting, Noted):
            work.noted.append(posting.row)
        else:
            work.opened[posting.request_id] = posting.response_id
    # One order everywhere: two writers on one database then never wait for each other in a circle.
    work.settled = dict(sorted(work.settled.items(), key=_request_id))
    return work


def settled(exchange: Exchange) -> Settled:
    """The posting of a settlement."""
    cell, counts = rollup_row(exchange)
    posting = Settled(row=entry_row(exchange), cell=cell, counts=counts)
    at_us = exchange.settled_at_us
    if exchange.item_ids:
        posting.items = item_hashes(exchange.tenant, exchange.item_ids)
        posting.period = at_us // PERIOD_US
    if exchange.container_ids:
        posting.owned = tuple(
            owned_row(one, Kind.CONTAINER, exchange.tenant, at_us) for one in exchange.container_ids
        )
    return posting


def added_up(parts: Sequence[tuple[Row, tuple[int, ...]]]) -> list[Row]:
    """What settlements and corrections add to the hours, in the order of the hours' keys."""
    cells: dict[Row, list[tuple[int, ...]]] = {}
    for cell, counts in parts:
        cells.setdefault(cell, []).append(counts)
    return [
        (*cell, *map(sum, zip(*counts, strict=True)))
        for cell, counts in sorted(cells.items(), key=_cell_order)
    ]


def _with_legs(row: Row, index: int, legs: tuple[Leg, ...]) -> Row:
    return (*row[:index], legs_text(legs), *row[index + 1 :])


def _first(row: Row) -> str:
    return str(row[0])


def _request_id(item: tuple[Value, Settled]) -> str:
    return str(item[0])


def _cell_order(item: tuple[Row, Any]) -> Row:
    return item[0]
