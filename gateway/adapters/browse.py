"""Entries as people look for them: page by page, each page after a bounded search.

A page looks at so many entries and no more, however few of them are wanted: what is rare is found
over several pages, none of which keeps a database busy. Reads only. Not here: what an entry is
(`reports`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Engine, Select, and_, exists, or_, select, true

from gateway.adapters import schema
from gateway.adapters.reports import EntryRow, entries_of, is_within

LOOKED_AT_MAX = 20_000  # entries of one page's search
TENANTS_MAX = 50  # that are searched one by one; of more, all entries are
UNPRICED, BROKEN = "unpriced", "broken"

Place = tuple[int, str]  # of an entry: its created_at_us and id


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is looked for; None: whatever it is. Times are Unix microseconds."""

    tenant: str | None = None  # with all below it
    key_id: str | None = None
    model: str | None = None  # as asked for, as served, or as priced
    outcome: str | None = None  # or UNPRICED, or BROKEN: failed, or without an end
    since_us: int | None = None
    until_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page of what is wanted, newest first. `after`: where the next one goes on; None: it ends.

    `is_whole`: the page is full, or nothing older was left to look at.
    """

    rows: list[EntryRow]
    after: Place | None
    is_whole: bool


def browse(
    engine: Engine,
    wanted: Wanted,
    *,
    limit: int,
    before: Place | None = None,
    looked_at_max: int = LOOKED_AT_MAX,
) -> Found:
    """The next page of what is wanted."""
    with engine.connect() as connection:
        scope = _scope(connection, wanted)
        floor = _floor(connection, wanted, scope, before, looked_at_max)
        conditions = [*_conditions(wanted), *_between(before, floor)]
        places = sorted(
            (
                place
                for one in scope
                for place in _places(connection, [one, *conditions], limit=limit + 1)
            ),
            reverse=True,
        )
    shown = places[:limit]
    ids = [request_id for _, request_id in shown]
    rows = entries_of(engine, ids)
    if len(places) > limit:
        return Found(rows=rows, after=shown[-1], is_whole=True)
    return Found(rows=rows, after=floor, is_whole=floor is None)


def nth_newest_us(engine: Engine, wanted: Wanted, number: int) -> int | None:
    """When the entry was admitted before which there are so many newer ones; None: there are not.

    Of what is wanted only the tenant and the span count.
    """
    with engine.connect() as connection:
        scope = _scope(connection, wanted)
        found = _floor(connection, wanted, scope, None, number)
    return None if found is None else found[0]


def _places(
    connection: Connection, where: Sequence[ColumnElement[bool]], *, limit: int
) -> list[Place]:
    table = schema.entry.c
    query = (
        select(table.created_at_us, table.request_id)
        .where(*where)
        .order_by(table.created_at_us.desc(), table.request_id.desc())
        .limit(limit)
    )
    return [(row.created_at_us, row.request_id) for row in connection.execute(query)]


def _scope(connection: Connection, wanted: Wanted) -> list[ColumnElement[bool]]:
    """Whose entries are looked at: each tenant by its own index, or all at once."""
    tenant = wanted.tenant
    if tenant is None:
        return [true()]
    if wanted.outcome == UNPRICED:  # these have an index of their own, and are few
        return [is_within(schema.entry.c.tenant, tenant)]
    query = select(schema.tenant.c.path).where(is_within(schema.tenant.c.path, tenant))
    paths = list(connection.scalars(query.limit(TENANTS_MAX + 1)))
    if len(paths) > TENANTS_MAX:
        return [is_within(schema.entry.c.tenant, tenant)]
    return [schema.entry.c.tenant == path for path in paths]


def _conditions(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    table = schema.entry.c
    if wanted.key_id is not None:
        yield table.key_id == wanted.key_id
    if wanted.model is not None:
        names = (table.model, table.served_model, table.priced_model)
        yield or_(*(name == wanted.model for name in names))
    if wanted.outcome is not None:
        yield _of_outcome(wanted.outcome)
    if wanted.since_us is not None:
        yield table.created_at_us >= wanted.since_us
    if wanted.until_us is not None:
        yield table.created_at_us < wanted.until_us


def _between(before: Place | None, floor: Place | None) -> Iterator[ColumnElement[bool]]:
    """Older than one place, and not older than another."""
    table = schema.entry.c
    if before is not None:
        same = and_(table.created_at_us == before[0], table.request_id < before[1])
        yield or_(table.created_at_us < before[0], same)
        yield table.created_at_us <= before[0]  # the same again, as an index reads it
    if floor is not None:
        same = and_(table.created_at_us == floor[0], table.request_id >= floor[1])
        yield or_(table.created_at_us > floor[0], same)
        yield table.created_at_us >= floor[0]


def _of_outcome(outcome: str) -> ColumnElement[bool]:
    table, adjustment = schema.entry.c, schema.adjustment.c
    if outcome == UNPRICED:
        return and_(
            table.cost_pusd.is_(None), ~exists().where(adjustment.request_id == table.request_id)
        )
    if outcome == BROKEN:
        return table.outcome.in_(("failed", "aborted"))
    return table.outcome == outcome


def _floor(
    connection: Connection,
    wanted: Wanted,
    scope: Sequence[ColumnElement[bool]],
    before: Place | None,
    looked_at_max: int,
) -> Place | None:
    """The oldest entry that is looked at; None: all are."""
    if wanted.outcome == UNPRICED:
        return None
    each_max = looked_at_max // max(1, len(scope))
    floors = [
        (row.created_at_us, row.request_id)
        for one in scope
        if (row := connection.execute(_nth(one, wanted, before, each_max)).one_or_none())
    ]
    return max(floors, default=None)


def _nth(
    of: ColumnElement[bool], wanted: Wanted, before: Place | None, number: int
) -> Select[tuple[int, str]]:
    """So many entries back, by an index alone."""
    table = schema.entry.c
    query = select(table.created_at_us, table.request_id).where(of)
    if wanted.until_us is not None:
        query = query.where(table.created_at_us < wanted.until_us)
    if wanted.since_us is not None:
        query = query.where(table.created_at_us >= wanted.since_us)
    if before is not None:
        query = query.where(table.created_at_us <= before[0])
    return query.order_by(table.created_at_us.desc()).offset(number).limit(1)
