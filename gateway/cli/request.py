"""`gateway request`: one request's bill, line by line, and how it came about."""

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.adapters.bill_views import bill_document, priced_by, total_usd
from gateway.adapters.views import bill_lines, entry_facts
from gateway.cli.access import database, settings_from
from gateway.cli.book import book_in_force
from gateway.cli.exits import CheckFailed
from gateway.cli.options import ConfigOption, JsonOption
from gateway.cli.output import Cell, print_json, print_table
from gateway.core.layers import layer_of
from gateway.core.moment import iso, iso_or_none
from gateway.core.money import to_usd

if TYPE_CHECKING:
    from gateway.adapters.bills import Beside
    from gateway.adapters.reports import EntryRow
    from gateway.core.budget import Account, Budget
    from gateway.core.prices import ModelPrice

_FACTS = (
    "id", "created_at", "settled_at", "tenant", "key_id", "response_id", "upstream_request_id",
    "endpoint", "requested_model", "model", "requested_service_tier", "service_tier", "stream",
    "max_output_tokens", "outcome", "reason", "client_gone", "http_status", "duration_seconds",
    "first_byte_seconds", "basis", "problem", "price_version",
)  # fmt: skip
_COLUMNS = ("meter", "quantity", "unit_price_usd", "cost_usd")


def request(
    request_id: Annotated[
        str, typer.Argument(metavar="ID", help="Our id (x-gateway-request-id) or the response's.")
    ],
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """One request's bill: what was counted, at which price, and what it cost."""
    from gateway.adapters import bills, reports

    with database(settings_from(config)) as engine:
        row = reports.entry(engine, request_id)
        if row is None:
            raise CheckFailed(
                f"no entry has the id {request_id!r}; it may be under way still, "
                "or was refused before anything was sent"
            )
        beside = bills.beside(engine, row.request_id)
    price = priced_by(row, beside, book_in_force(config))
    if json:
        print_json(bill_document(row, beside, price))
    else:
        _print_bill(row, beside, price)


def _print_bill(row: "EntryRow", beside: "Beside", price: "ModelPrice | None") -> None:
    facts = entry_facts(row)
    for name in _FACTS:
        if facts[name] is not None:
            print(f"{name:22}  {_text(facts[name])}")
    for name, value in sorted(row.tags.items()):
        print(f"{'tag ' + name:22}  {value}")
    print()
    print_table(_COLUMNS, [*_bill(row, beside)])
    print()
    print(_price_in_words(row, price))
    for one in beside.adjustments:
        print(f"adjusted by {to_usd(one.delta_pusd)} USD at {iso(one.at_us)}: {one.note}")
    for budget, account in beside.budgets:
        print(_budget_in_words(budget, account))


def _bill(row: "EntryRow", beside: "Beside") -> list[list[Cell]]:
    lines: list[list[Cell]] = [list(line.values()) for line in bill_lines(row)]
    if not lines and not any(one.lines for one in beside.adjustments):
        lines = [[meter, tokens, None, None] for meter, tokens in _classes(row) if tokens]
    for one in beside.adjustments:
        lines += [list(line.values()) for line in bill_lines(one)]
        lines.append([f"adjusted: {one.kind}", None, None, to_usd(one.delta_pusd)])
    lines.append(["total", None, None, total_usd(row) or "unpriced"])
    lines.append(["held", None, None, to_usd(row.hold_pusd)])
    return lines


def _classes(row: "EntryRow") -> list[tuple[str, int]]:
    """The tokens of an entry without lines, each in one class."""
    if row.input_tokens is None:
        return []
    cached, written = row.cached_tokens or 0, row.cache_write_tokens or 0
    output, reasoning = row.output_tokens or 0, row.reasoning_tokens or 0
    return [
        ("input", row.input_tokens - cached - written),
        ("input_cached", cached),
        ("input_cache_write", written),
        ("output", output - reasoning),
        ("output_reasoning", reasoning),
    ]


def _price_in_words(row: "EntryRow", price: "ModelPrice | None") -> str:
    if price is not None:
        begin, end = iso_or_none(price.effective_from_us), iso_or_none(price.effective_to_us)
        until = f" until {end}" if end else ""
        dates = f"in force from {begin or 'the beginning'}{until}"
        return f"price of the {layer_of(price)} ({price.version}), {dates}: {price.source}"
    if row.price_version is None:
        return f"no price is known of it: `gateway prices show {row.served_model or row.model}`"
    return f"priced by {row.price_version}, which is not the book at hand any more"


def _budget_in_words(budget: "Budget", account: "Account") -> str:
    begins, ends = account.period_start_us, account.period_end_us
    span = "" if ends is None else f" from {iso(begins)} until {iso(ends)}"
    manner = "hard" if account.is_hard else "soft"
    left = to_usd(account.left_pusd)
    return f"counts in the {manner} budget of {budget.subject} ({budget.name}){span}: {left} left"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
