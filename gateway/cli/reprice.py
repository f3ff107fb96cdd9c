"""`gateway prices reprice`: a cost for entries whose price came later. Not here: the posting."""

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.access import database, now_us, settings_from
from gateway.cli.book import book_in_force
from gateway.cli.options import ConfigOption, JsonOption, SinceOption
from gateway.cli.output import print_json, print_table, talk
from gateway.cli.times import before
from gateway.core.money import to_usd

if TYPE_CHECKING:
    from gateway.adapters.repricing import Outcome

_REASONS = {
    "usage_unknown": "its usage is not known, so that no price can help",
    "model_unpriced": "set a price for the moment of its admission: `gateway prices set`",
    "tier_unpriced": "its price has no such tier: set one with it",
    "meter_unpriced": "its price lacks something that it used: set one with it",
    "window_unpriced": "its price has no discounted window: set one with it",
    "cost_out_of_range": "nobody can have used that much: look at its usage",
}


def reprice(
    since: SinceOption = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant and those below.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell, and post nothing.")] = False,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Post the cost of entries without one, now that there is a price; each is posted once."""
    from gateway.adapters import repricing

    book, now = book_in_force(config), now_us()
    with database(settings_from(config)) as engine:
        outcome = repricing.reprice(
            engine,
            book,
            now_us=now,
            since_us=None if since is None else before(since, now),
            tenant=tenant,
            is_dry_run=dry_run,
        )
    record = _record(outcome)
    if json:
        print_json({"dry_run": dry_run, **record})
        return
    verb = "would be posted" if dry_run else "posted"
    print_table(["model", verb, "cost_usd"], [list(row.values()) for row in record["posted"]])
    for row in record["left"]:
        reason = str(row["reason"])
        talk(f"{row['entries']} of {row['model']} stay without a cost: {_REASONS[reason]}")


def _record(outcome: "Outcome") -> dict[str, list[dict[str, str | int]]]:
    return {
        "posted": [
            {"model": model, "entries": count, "cost_usd": to_usd(outcome.cost_pusd[model])}
            for model, count in sorted(outcome.posted.items())
        ],
        "left": [
            {"model": model, "reason": reason, "entries": count}
            for (model, reason), count in sorted(outcome.left.items())
        ],
    }
