"""Requests, page by page and as they are looked for, and one of them in detail."""

from datetime import UTC, datetime
from typing import Any

from gateway.adapters import reports
from gateway.adapters.bills import Beside, beside
from gateway.adapters.browse import BROKEN, UNPRICED, Place, Wanted, browse
from gateway.adapters.refusals import Refusal, find_refusal
from gateway.adapters.views import bill_lines, entry_facts
from gateway.app.console.page import Asked, Page, Sources, Table, table_of
from gateway.core.admit import CUT_TAG, POLICY_TAG
from gateway.core.errors import NotFound
from gateway.core.exchange import Outcome

CSV_ROWS_MAX = 10_000
PATH = "/console/requests"
OUTCOMES = ("", *Outcome, BROKEN, UNPRICED)
_LINES = ("meter", "quantity", "unit_price_usd", "cost_usd")
_OWN_TAG = "gw_"  # begins what we noted; all other tags are the client's


def requests(sources: Sources, asked: Asked) -> Page:
    """A page of them, newest first."""
    wanted, before = _wanted(asked), asked.parsed("before", _place, None)
    found = browse(sources.engine, wanted, limit=sources.rows_max, before=before)
    after = None if found.after is None else f"{found.after[0]}.{found.after[1]}"
    is_filtered = any(asked.query.get(name) for name in ("tenant", "key", "model", "outcome"))
    return Page(
        template="requests.html",
        facts={
            "rows": found.rows,
            "is_whole": found.is_whole,
            "is_filtered": is_filtered or wanted.since_us or wanted.until_us,
            "query": asked.query,
            "outcomes": OUTCOMES,
            "older": after and asked.address(PATH, before=after),
            "newest": before and asked.address(PATH, before=None),
            "oldest_us": None if found.after is None else found.after[0],
        },
        tables={"requests": lambda: _table(sources, wanted, before)},
    )


def request(sources: Sources, asked: Asked) -> Page:
    """One of them: its bill, its hold and how it went; or why it was refused. Raises NotFound."""
    row = reports.entry(sources.engine, asked.name)
    if row is None or not asked.viewer.sees(row.tenant):
        return _refused(sources, asked)
    found = beside(sources.engine, row.request_id)
    total_pusd = _total_pusd(row)
    return Page(
        template="request.html",
        facts={
            "row": row,
            "facts": entry_facts(row),
            "beside": found,
            "total_pusd": total_pusd,
            "used_pusd": max(row.hold_pusd, total_pusd or 0),
            "steps": _steps(row),
            "changes": row.tags.get(POLICY_TAG),
            "is_cut": CUT_TAG in row.tags,
            "tags": {
                name: text for name, text in row.tags.items() if not name.startswith(_OWN_TAG)
            },
            "budgets": [
                (budget, account)
                for budget, account in found.budgets
                if budget.subject == row.key_id or asked.viewer.sees(budget.subject)
            ],
        },
        tables={"lines": lambda: _lines(row, found)},
    )


def _refused(sources: Sources, asked: Asked) -> Page:
    refusal = find_refusal(sources.engine, asked.name)
    if refusal is None or not asked.viewer.sees(refusal.tenant):
        raise NotFound(
            "No request has this id. It may be under way still: see Live. What was refused for"
            " another reason than money is told in its answer alone."
        )
    return Page(template="refusal.html", facts={"refusal": refusal, "lines": _told(refusal)})


def _told(refusal: Refusal) -> list[str]:
    return [refusal.message, *refusal.reasons]


def _wanted(asked: Asked) -> Wanted:
    return Wanted(
        tenant=asked.tenant,
        key_id=asked.query.get("key") or None,
        model=asked.query.get("model") or None,
        outcome=asked.one_of("outcome", OUTCOMES) or None,
        since_us=asked.parsed("since", _moment_us, None),
        until_us=asked.parsed("until", _moment_us, None),
    )


def _place(text: str) -> Place:
    at_us, dot, request_id = text.partition(".")
    if not dot or not request_id:
        raise ValueError("it is no place in the list")
    return int(at_us), request_id


def _moment_us(text: str) -> int:
    """A day or a moment, in UTC where it says nothing else."""
    at = datetime.fromisoformat(text)
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1_000_000)


def _table(sources: Sources, wanted: Wanted, before: Place | None) -> Table:
    """From here on, as many as a spreadsheet wants."""
    rows: list[reports.EntryRow] = []
    place, is_more = before, True
    while is_more and len(rows) < CSV_ROWS_MAX:
        limit = min(1_000, CSV_ROWS_MAX - len(rows))
        found = browse(sources.engine, wanted, limit=limit, before=place)
        rows += found.rows
        place, is_more = found.after, found.after is not None
    records = [entry_facts(row) for row in rows]
    return table_of(records, list(records[0]) if records else ["id"])


def _lines(row: reports.EntryRow, found: Beside) -> Table:
    records = [*bill_lines(row), *(line for one in found.adjustments for line in bill_lines(one))]
    return table_of(records, _LINES)


def _total_pusd(row: reports.EntryRow) -> int | None:
    known = [pusd for pusd in (row.cost_pusd, row.adjustment_pusd) if pusd is not None]
    return sum(known) if known else None


def _steps(row: reports.EntryRow) -> list[dict[str, Any]]:
    """What happened when, each with its place on the way in percent."""
    whole_us = max(row.duration_us, row.first_byte_us or 0, 1)
    steps = [("admitted and held", 0)]
    if row.first_byte_us is not None:
        steps.append(("first byte", row.first_byte_us))
    steps.append((str(row.outcome), row.duration_us))
    return [
        {"name": name, "after_us": us, "place": round(100 * us / whole_us, 2)} for name, us in steps
    ]
