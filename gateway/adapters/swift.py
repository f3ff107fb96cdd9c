"""A batch for PostgreSQL as one statement: one trip, and locks for no longer than that takes.

For what most batches are: new holds that fit, settlements of holds that are there, none above its
hold. Whether a batch is such a one is guessed by what the accounts last came to, and asserted by
the statement itself: one that is not leaves nothing, and is written as `pipeline` does.
Not here: refusals, alerts, late truth, what was there before; all that is decided there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any, cast

import msgspec
from sqlalchemy import Connection, Dialect

from gateway.adapters import schema
from gateway.adapters.docket import Docket
from gateway.adapters.json_rows import encode, records, usage_added
from gateway.adapters.outages import is_outage
from gateway.adapters.posting import Judge
from gateway.adapters.rows import Row
from gateway.adapters.work import Posting, Work, added_up, in_order
from gateway.core.budget import FIGURE_PUSD_MAX, Account, Budget, Leg

if TYPE_CHECKING:
    import psycopg
    from psycopg.pq.abc import PGconn, PGresult

_NAME = b"gateway_swift"
ACCOUNTS_MAX = 4096  # that are remembered

# Its parts run in the order of locks: holds and entries; then the accounts, which ask for those;
# then the hours, for which nobody asks. All see what was there before the statement. The accounts
# are found by an array as well, or the planner guesses at the rows and reads a whole table.
_STATEMENT = """
WITH heard AS (
    SELECT coalesce(max(n), 0) AS newest,
        (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now_us
    FROM change
), gone AS (
    DELETE FROM hold WHERE request_id = ANY(ARRAY(SELECT json_array_elements_text($2::json)))
    RETURNING 1
), fresh AS (
    INSERT INTO entry ({entry}) SELECT {entry}
    FROM json_populate_recordset(NULL::entry, $3::json) ON CONFLICT DO NOTHING RETURNING 1
), placed AS (
    INSERT INTO hold ({hold}) SELECT {hold}
    FROM json_populate_recordset(NULL::hold, $4::json) AS one
    WHERE (SELECT 1 FROM entry e WHERE e.request_id = one.request_id) IS NULL
    ON CONFLICT DO NOTHING RETURNING 1
), opened AS (
    UPDATE hold SET response_id = $5::jsonb ->> request_id
    WHERE request_id = ANY(ARRAY(SELECT jsonb_object_keys($5::jsonb))) RETURNING 1
), items AS (
    INSERT INTO item_log (period, hashes)
    SELECT (item->>0)::integer, decode(item->>1, 'hex') FROM json_array_elements($6::json) AS item
), rows AS (
    SELECT (SELECT count(*) FROM gone) AS gone, (SELECT count(*) FROM fresh) AS fresh,
        (SELECT count(*) FROM placed) AS placed, (SELECT count(*) FROM opened) AS opened
), locked AS MATERIALIZED (
    SELECT one.budget_id, one.period_start_us, (leg->>2)::bigint AS held, (leg->>3)::bigint AS cost,
        (leg->>4)::bigint AS spent_below, (leg->>5)::boolean AS asks,
        (leg->>6)::bigint AS limit_known
    FROM json_array_elements(
        CASE WHEN (SELECT gone + fresh + placed + opened FROM rows) >= 0 THEN $7::json END
    ) AS leg, LATERAL (
        SELECT budget_id, period_start_us FROM budget_period
        WHERE budget_id = leg->>0 AND period_start_us = (leg->>1)::bigint FOR NO KEY UPDATE
    ) AS one
), accounts AS (
    UPDATE budget_period AS account
    SET held_pusd = held_pusd + held, spent_pusd = spent_pusd + cost
    FROM locked
    WHERE account.budget_id = ANY(ARRAY(SELECT leg->>0 FROM json_array_elements($7::json) AS leg))
        AND account.budget_id = locked.budget_id
        AND account.period_start_us = locked.period_start_us
    RETURNING account.*, spent_pusd < spent_below AND limit_pusd = limit_known AND NOT (
        asks AND is_hard AND spent_pusd + held_pusd > limit_pusd
    ) AS is_plain
), hours AS (
    INSERT INTO usage_hour ({usage_hour}) SELECT {usage_hour}
    FROM json_populate_recordset(NULL::usage_hour, $8::json) {added}
)
SELECT newest, now_us,
    (SELECT json_agg(json_build_array(budget_id, period_start_us, held_pusd, spent_pusd))
     FROM accounts),
    1 / (
        newest = $1::bigint AND gone = json_array_length($2::json) AND fresh = gone
        AND placed = json_array_length($4::json)
        AND (SELECT count(*) = json_array_length($7::json) AND coalesce(bool_and(is_plain), true)
             FROM accounts)
    )::integer
FROM heard, rows"""


@dataclass(slots=True)
class _Change:
    """What a batch does to an account."""

    held_pusd: int = 0
    cost_pusd: int = 0
    asks: bool = False  # for more to be held


class SwiftPoster:
    """One statement for one writer, who tells it what accounts came to when he asked."""

    def __init__(self, dialect: Dialect) -> None:
        columns = {
            table.name: ", ".join(table.columns.keys())
            for table in (schema.entry, schema.hold, schema.usage_hour)
        }
        self._statement = _STATEMENT.format(**columns, added=usage_added()).encode()
        self._psycopg: Any = dialect.dbapi  # loaded by who has PostgreSQL, and by nobody else
        self._accounts: dict[Leg, Account] = {}  # as far as is known

    def told(self, accounts: Mapping[Leg, Account]) -> None:
        """What accounts came to in a transaction that was committed."""
        if len(self._accounts) > ACCOUNTS_MAX:
            self._accounts.clear()
        self._accounts.update(accounts)

    def apply(
        self, connection: Connection, batch: Sequence[Posting], *, judge: Judge
    ) -> Docket | None:
        """Write a batch, durable when this returns; None: it is not such a one, nothing is there.

        Raises what the driver raises.
        """
        work = in_order(batch)
        if not _is_plain(work) or not judge.recall(work):
            return None
        legs = self._legs(work, judge.budgets)
        if legs is None:
            return None
        judge.sit(connection)
        driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
        server = self._prepared(connection, driver)
        answer = self._row(server.exec_prepared(_NAME, _parameters(work, legs, judge.newest)))
        if answer is None:
            self._accounts.clear()  # something is other than was thought
            return None
        newest, now_us, figures, _ = answer
        judge.hear(int(newest or 0), int(now_us or 0))
        self._learn(figures)
        placed = {name: work.legs[name] for name in work.held}
        return Docket(placed=placed, fresh=work.settled)

    def _legs(self, work: Work, budgets: Mapping[str, Budget]) -> list[Row] | None:
        """What becomes of each account, in the order of locks; None where it is not known."""
        changes: dict[Leg, _Change] = {}
        for name, settled in work.settled.items():
            for leg in work.legs[name]:
                change = changes.setdefault(leg, _Change())
                change.held_pusd -= settled.hold_pusd
                change.cost_pusd += settled.spent_pusd
        for name, held in work.held.items():
            for leg in work.legs[name]:
                change = changes.setdefault(leg, _Change())
                change.held_pusd += held.hold_pusd
                change.asks = True
        found = []
        for leg, change in sorted(changes.items(), key=_leg):
            account, budget = self._accounts.get(leg), budgets.get(leg[0])
            if account is None or budget is None or not _has_room(account, change):
                return None
            below = _spent_below(account, budget)
            does = change.held_pusd, change.cost_pusd, below, change.asks
            found.append((*leg, *does, account.limit_pusd))
        return found

    def _prepared(self, connection: Connection, driver: "psycopg.Connection[Any]") -> "PGconn":
        """The connection as libpq has it, which knows the statement: no more layers are needed."""
        server = driver.pgconn
        if not connection.info.get(_NAME):
            self._row(server.prepare(_NAME, self._statement))
            connection.info[_NAME] = True
        return server

    def _row(self, result: "PGresult") -> list[bytes | None] | None:
        """The row of an answer; None where it is an error that no waiting mends."""
        status = self._psycopg.pq.ExecStatus
        if result.status == status.COMMAND_OK:
            return []
        if result.status == status.TUPLES_OK:
            return [result.get_value(0, column) for column in range(result.nfields)]
        error = self._psycopg.errors.error_from_result(result)
        if is_outage(error):
            raise error
        return None

    def _learn(self, figures: bytes | None) -> None:
        for budget_id, start_us, held_pusd, spent_pusd in msgspec.json.decode(figures or b"[]"):
            account = self._accounts[budget_id, start_us]
            account.held_pusd, account.spent_pusd = held_pusd, spent_pusd


def _is_plain(work: Work) -> bool:
    """Whether nothing in it needs to be looked at first, as far as it says itself."""
    if work.noted or work.again or work.limited() or work.owned():
        return False
    return (
        not any(one.is_sent for one in work.held.values())
        and not any(one.spent_pusd > one.hold_pusd for one in work.settled.values())
        and work.held.keys().isdisjoint(work.settled)
        and work.held.keys().isdisjoint(work.opened)
    )


def _has_room(account: Account, change: _Change) -> bool:
    """Whether all of it would fit, if nobody else had changed the account."""
    taken_pusd = account.spent_pusd + account.held_pusd + change.held_pusd + change.cost_pusd
    limit_pusd = account.limit_pusd if account.is_hard else FIGURE_PUSD_MAX
    return taken_pusd <= limit_pusd or not change.asks


def _spent_below(account: Account, budget: Budget) -> int:
    """Where the next threshold is: what comes to that is an alert, which is not for here."""
    thresholds = (ceil(one * account.limit_pusd / 100) for one in budget.thresholds_pct)
    return min((one for one in thresholds if one > account.spent_pusd), default=FIGURE_PUSD_MAX)


def _parameters(work: Work, legs: Sequence[Row], newest: int | None) -> list[bytes]:
    entries = [one.posted_row(work.legs[name]) for name, one in work.settled.items()]
    holds = [one.placed_row(work.legs[name]) for name, one in work.held.items()]
    hours = added_up([(one.cell, one.counts) for one in work.settled.values()])
    opened = {one: name for one, name in work.opened.items() if one not in work.settled}
    items = [(period, hashes.hex()) for period, hashes in work.items()]
    return [
        b"%d" % (newest or 0),
        encode(list(work.settled)),
        records(schema.entry, entries),
        records(schema.hold, holds),
        encode(opened),
        encode(items),
        encode(legs),
        records(schema.usage_hour, hours),
    ]


def _leg(change: tuple[Leg, _Change]) -> Leg:
    return change[0]
