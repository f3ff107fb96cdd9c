"""`gateway request`: one request's bill, line by line, and how it came about."""

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.adapters.views import bill_lines, entry_document, entry_facts
from gateway.cli.access import database, settings_from
from gateway.cli.exits import CheckFailed
from gateway.cli.options import ConfigOption, JsonOption
from gateway.cli.output import Cell, print_json, print_table

if TYPE_CHECKING:
    from gateway.adapters.reports import EntryRow

_FACTS = (
    "id", "created_at", "settled_at", "tenant", "key_id", "response_id", "upstream_request_id",
    "endpoint", "requested_model", "model", "service_tier", "outcome", "reason", "client_gone",
    "http_status", "duration_seconds", "first_byte_seconds", "basis", "problem", "price_version",
)  # fmt: skip


def request(
    request_id: Annotated[
        str, typer.Argument(metavar="ID", help="Our id (x-gateway-request-id) or the response's.")
    ],
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """One request's bill: what was counted, at which price, and what it cost."""
    from gateway.adapters import reports

    with database(settings_from(config)) as engine:
        row = reports.entry(engine, request_id)
    if row is None:
        raise CheckFailed(
            f"no entry has the id {request_id!r}; it may be under way still, "
            "or was refused before anything was sent"
        )
    if json:
        print_json({**entry_document(row), "lines": bill_lines(row)})
    else:
        _print_bill(row)


def _print_bill(row: "EntryRow") -> None:
    facts = entry_facts(row)
    for name in _FACTS:
        if facts[name] is not None:
            print(f"{name:20}  {_text(facts[name])}")
    for name, value in sorted(row.tags.items()):
        print(f"{'tag ' + name:20}  {value}")
    print()
    lines: list[list[Cell]] = [list(line.values()) for line in bill_lines(row)]
    lines.append(["total", None, None, facts["cost_usd"] or "unpriced"])
    if row.adjustment_pusd is not None:
        lines.append(["adjusted later by", None, None, facts["adjustment_usd"]])
    lines.append(["held", None, None, facts["hold_usd"]])
    print_table(["meter", "quantity", "unit_price_usd", "cost_usd"], lines)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
