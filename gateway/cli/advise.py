"""`gateway advise`: what four levers would have changed on the traffic that was served."""

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.access import database, now_us, settings_from
from gateway.cli.book import book_in_force
from gateway.cli.exits import CheckFailed
from gateway.cli.options import ConfigOption, JsonOption, SinceOption
from gateway.cli.output import print_json, print_table
from gateway.cli.times import before
from gateway.core.money import to_usd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.core.advice import Advice

Percent = typer.Option(min=1, max=100, metavar="PERCENT")


def advise(
    *,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant and those below.")] = None,
    since: SinceOption = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="CHEAPER", help="Instead of each model's next cheaper relative."),
    ] = None,
    cached: Annotated[int, Percent] = 80,
    output_percentile: Annotated[int, Percent] = 95,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """What caching, output limits, a cheaper model or a slower tier would have saved, in USD."""
    from gateway.adapters.advised import add_all, advice_document, cheaper_models
    from gateway.adapters.traffic import traffic
    from gateway.core.advice import Advice, Assumed

    book, now = book_in_force(config), now_us()
    try:
        cheaper = cheaper_models(book, now, model)
    except LookupError as unknown:
        raise CheckFailed(str(unknown)) from None
    assumed = Assumed(cached_percent=cached, output_percentile=output_percentile)
    advice = Advice(cheaper=cheaper, assumed=assumed)
    since_us = None if since is None else before(since, now)
    with database(settings_from(config)) as engine:
        left = add_all(advice, traffic(engine, book, since_us=since_us, tenant=tenant))
    document = advice_document(advice, left)
    if json:
        print_json(document)
    else:
        _print(advice, document)


def _print(advice: "Advice", document: dict[str, object]) -> None:
    levers = advice.levers()
    rows = [
        [one.name, one.requests, to_usd(one.saved_pusd), _share(one.saved_pusd, advice.cost_pusd)]
        for one in levers
    ]
    print(f"{advice.requests:,} requests cost {document['cost_usd']} USD.\n")
    print_table(["lever", "requests", "saved_usd", "saved"], rows)
    print("\nAll concern the same requests, so what they save does not add up. They assume that")
    for one in levers:
        print(f"- {one.name}: {one.assumption}")
    print()
    for line in _facts(advice, document):
        print(line)


def _facts(advice: "Advice", document: dict[str, object]) -> "Iterator[str]":
    if advice.cacheable_tokens:
        yield f"{document['cached_percent']} % of the longer inputs was read from the cache."
    if advice.limited:
        used = document["output_limit_used_percent"]
        yield f"{advice.limited:,} requests had an output limit, of which they used {used} %."
    for name, tokens in sorted(advice.limits.items()):
        yield f"An output limit for {name} would be {tokens:,} tokens."
    for name, cheaper in sorted(advice.replaced.items()):
        yield f"Instead of {name} there is {cheaper} (`--model` names another)."
    if document["requests_without_price"]:
        yield f"Left out, without a price now: {document['requests_without_price']} requests."


def _share(part: int, whole: int) -> str | None:
    from gateway.adapters.advised import percent

    share = percent(part, whole)
    return None if share is None else f"{share} %"
