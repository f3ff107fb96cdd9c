"""Advice: what four levers of cost would have changed on the newest requests."""

from itertools import islice

from gateway.adapters.advised import add_all, advice_document, cheaper_models
from gateway.adapters.browse import Wanted, nth_newest_us
from gateway.adapters.traffic import traffic
from gateway.app.console.page import SPANS_DAYS, Asked, Page, Sources, begin_of_span, table_of
from gateway.core.advice import Advice, Assumed
from gateway.core.errors import InvalidRequest
from gateway.core.money import to_usd

REQUESTS_MAX = 10_000  # each is priced several times anew, beside streams that want their turn
_COLUMNS = ("lever", "requests", "saved_usd", "saved_percent", "assumption")


def advice(sources: Sources, asked: Asked) -> Page:
    """The page."""
    now_us, tenant, book = sources.now_us(), asked.tenant, asked.book
    span = asked.one_of("span", ("7d", *SPANS_DAYS))
    try:
        cheaper = cheaper_models(book, now_us, asked.query.get("model") or None)
    except LookupError as unknown:
        raise InvalidRequest(str(unknown)) from None
    found = Advice(cheaper=cheaper, assumed=Assumed())
    wanted = Wanted(tenant=tenant, since_us=begin_of_span(span, now_us))
    cut_us = nth_newest_us(sources.engine, wanted, REQUESTS_MAX)
    since_us = wanted.since_us if cut_us is None else cut_us
    served = traffic(sources.engine, book, since_us=since_us, tenant=tenant)
    left = add_all(found, islice(served, REQUESTS_MAX))
    levers = found.levers()
    records = [
        {
            "lever": one.name,
            "requests": one.requests,
            "saved_usd": to_usd(one.saved_pusd),
            "saved_percent": one.saved_pusd * 100 // found.cost_pusd if found.cost_pusd else None,
            "assumption": one.assumption,
        }
        for one in levers
    ]
    return Page(
        template="advice.html",
        facts={
            "span": span,
            "spans": list(SPANS_DAYS),
            "query": asked.query,
            "found": found,
            "document": advice_document(found, left),
            "levers": levers,
            "cut_us": cut_us,
            "requests_max": REQUESTS_MAX,
        },
        tables={"levers": lambda: table_of(records, _COLUMNS)},
    )
