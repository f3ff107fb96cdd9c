"""A request's whole bill as scripts know it: names that stay, money as strings.

Not here: reading it from the database (`reports`, `bills`), or what is said to people.
"""

from typing import TYPE_CHECKING

from gateway.adapters.views import Fact, bill_lines, entry_document
from gateway.core.layers import layer_of
from gateway.core.moment import iso, iso_or_none
from gateway.core.money import to_usd

if TYPE_CHECKING:  # the verb that shows these should not load the database's library to be named
    from gateway.adapters.bills import Adjustment, Beside
    from gateway.adapters.reports import EntryRow
    from gateway.core.budget import Account, Budget
    from gateway.core.price_book import PriceBook
    from gateway.core.prices import ModelPrice


def priced_by(row: "EntryRow", beside: "Beside", book: "PriceBook") -> "ModelPrice | None":
    """The card at hand that was in force at admission, if it is of the version that priced it."""
    versions = {row.price_version, *(one.price_version for one in beside.adjustments)}
    model = row.priced_model or row.served_model or row.model
    card = book.find(model, row.created_at_us)
    return card if card is not None and card.version in versions else None


def bill_document(
    row: "EntryRow", beside: "Beside", price: "ModelPrice | None"
) -> dict[str, object]:
    """An entry with its lines, its price, what became known later, and its budgets."""
    return {
        **entry_document(row),
        "lines": bill_lines(row),
        "total_usd": total_usd(row),
        "price": None if price is None else _price(price),
        "adjustments": [
            {**_adjustment(one), "price_version": one.price_version, "lines": bill_lines(one)}
            for one in beside.adjustments
        ],
        "budgets": [_budget(budget, account) for budget, account in beside.budgets],
    }


def total_usd(row: "EntryRow") -> str | None:
    """What it costs by all that is known; None: unpriced."""
    known = [pusd for pusd in (row.cost_pusd, row.adjustment_pusd) if pusd is not None]
    return to_usd(sum(known)) if known else None


def _price(card: "ModelPrice") -> dict[str, Fact]:
    return {
        "layer": layer_of(card),
        "version": card.version,
        "effective_from": iso_or_none(card.effective_from_us),
        "effective_to": iso_or_none(card.effective_to_us),
        "source": card.source,
    }


def _adjustment(one: "Adjustment") -> dict[str, Fact]:
    return {
        "kind": one.kind,
        "at": iso(one.at_us),
        "adjustment_usd": to_usd(one.delta_pusd),
        "note": one.note,
    }


def _budget(budget: "Budget", account: "Account") -> dict[str, Fact]:
    return {
        "subject": budget.subject,
        "budget": budget.name,
        "hard": account.is_hard,
        "period_start": None if account.period_end_us is None else iso(account.period_start_us),
        "period_end": iso_or_none(account.period_end_us),
        "left_usd": to_usd(account.left_pusd),
    }
