"""`gateway budgets explain`: why a request was refused, and what to do about it, in sentences."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.access import database, now_us, settings_from
from gateway.cli.book import book_in_force
from gateway.cli.exits import CheckFailed
from gateway.cli.options import ConfigOption, JsonOption
from gateway.cli.output import print_json
from gateway.core.moment import iso
from gateway.core.money import to_usd

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

    from gateway.adapters.refusals import Refusal
    from gateway.adapters.standings import Standing

_ADVICE = {
    "budget_held": "Clients that heed retry-after-ms send it again by themselves. There is room"
    " when requests under way have settled (`gateway holds list` shows them); `gateway policies set"
    " {subject}` with `--max-output-tokens-default N` or `--fit clamp` has less held for each.",
    "unbounded_cost": "Send it with what would bound it, or let it pass with `gateway policies set"
    " {subject} --unbounded allow`: then no hard budget can stop what it costs above its hold.",
    "concurrency_exceeded": "Clients that heed retry-after-ms send it again by themselves, and"
    " `gateway holds list` shows the requests that are open. `gateway policies show {subject}"
    " --effective` tells whose limit it is; `--concurrent-max N` changes it.",
}


def explain(
    request_id: Annotated[
        str, typer.Argument(metavar="REQUEST-ID", help="Our id (x-gateway-request-id).")
    ],
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Why a request was refused, line by line, and what to do about it."""
    from gateway.adapters.refusals import find_refusal

    with database(settings_from(config)) as engine:
        refusal = find_refusal(engine, request_id)
        if refusal is None:
            lines = [_not_refused(engine, request_id)]
            record: dict[str, object] = {"request_id": request_id, "refused": False}
        else:
            advice = list(_advice(refusal, _short(engine, refusal, config)))
            lines = [*_told(refusal), *advice]
            record = _record(refusal, advice)
    if json:
        print_json({**record, "lines": lines})
    else:
        print("\n".join(lines))


def _not_refused(engine: "Engine", request_id: str) -> str:
    """What became of a request, if it is known at all."""
    from gateway.adapters.open_holds import open_holds
    from gateway.adapters.refusals import KEPT_MAX
    from gateway.adapters.reports import entry

    found = entry(engine, request_id)
    if found is not None:
        cost = "is not known" if found.cost_pusd is None else f"is {to_usd(found.cost_pusd)} USD"
        return (
            f"It was not refused: request {found.request_id} of {found.tenant} ended as"
            f" {found.outcome} at {iso(found.settled_at_us)}, and its cost {cost}."
            f" `gateway request {found.request_id}` has the bill."
        )
    for hold in open_holds(engine, now_us):
        if request_id in (hold.request_id, hold.response_id):
            return (
                f"It was not refused: request {hold.request_id} of {hold.tenant} is under way,"
                f" and {to_usd(hold.hold_pusd)} USD are held for it."
            )
    raise CheckFailed(
        f"nothing is known of a request {request_id!r}. The newest {KEPT_MAX:,} that were refused"
        " for their money are kept; what else refused one was said in its answer"
    )


def _short(engine: "Engine", refusal: "Refusal", config: "Path | None") -> "list[Standing]":
    """The budgets on its way that would refuse it now."""
    from gateway.adapters.budgets import Budgets
    from gateway.adapters.policies import SubjectUnknown

    price = book_in_force(config).find(refusal.model, now_us())
    names = {refusal.model} if price is None else {refusal.model, price.name}
    try:
        on_way = Budgets(engine=engine, now_us=now_us).list_on_way(refusal.key_id, names)
    except SubjectUnknown:
        return []
    return [standing for standing in on_way if not standing.account.fits(refusal.hold_pusd)]


def _told(refusal: "Refusal") -> Iterator[str]:
    yield (
        f"Request {refusal.request_id} of {refusal.tenant} with {refusal.model} was refused"
        f" at {iso(refusal.at_us)}: {refusal.code}."
    )
    if refusal.code != "unbounded_cost":
        yield f"At worst it would have cost {to_usd(refusal.hold_pusd)} USD:"
        yield from (f"  {reason}" for reason in refusal.reasons)
    yield refusal.message


def _advice(refusal: "Refusal", short: "Sequence[Standing]") -> Iterator[str]:
    if refusal.code != "insufficient_quota":
        yield _ADVICE[refusal.code].format(subject=refusal.tenant)
        return
    if not short:
        yield "The budgets on its way have room for it now: it can be sent again."
    for standing in short:
        yield _raise(standing, refusal.hold_pusd)


def _raise(standing: "Standing", hold_pusd: int) -> str:
    """What makes room in a budget: another limit, or time."""
    budget, account = standing.budget, standing.account
    needed_pusd = account.spent_pusd + account.held_pusd + hold_pusd
    models = "" if budget.models is None else f" --models {','.join(budget.models)}"
    end_us = account.period_end_us
    wait = ""
    if end_us is not None and hold_pusd <= account.limit_pusd:
        wait = f", or wait until {iso(end_us)}, when its period ends"
    return (
        f"To let it pass now, raise the limit of {budget.subject} from"
        f" {to_usd(account.limit_pusd)} to {to_usd(needed_pusd)} USD or more (`gateway budgets set"
        f" {budget.subject} --period {budget.period}{models} --limit-usd USD`){wait}."
    )


def _record(refusal: "Refusal", advice: Sequence[str]) -> dict[str, object]:
    return {
        "request_id": refusal.request_id,
        "refused": True,
        "at": iso(refusal.at_us),
        "tenant": refusal.tenant,
        "key_id": refusal.key_id,
        "model": refusal.model,
        "code": refusal.code,
        "message": refusal.message,
        "hold_usd": to_usd(refusal.hold_pusd),
        "reasons": refusal.reasons,
        "advice": advice,
    }
