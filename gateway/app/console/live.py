"""Live: what is open now, in every process, and how far each has come where it can be seen."""

from dataclasses import dataclass

from gateway.adapters.open_holds import OpenHold, open_holds
from gateway.app.console.page import Asked, Page, Sources, table_of
from gateway.core.money import to_usd
from gateway.core.progress import SoFar

SHOWN_MAX = 200
_COLUMNS = (
    "id", "tenant", "key_id", "model", "endpoint", "age_seconds", "phase", "output_tokens_about",
    "output_cost_usd_about", "hold_usd", "response_id",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """One that is open. `so_far` None: its process is elsewhere, or gone."""

    hold: OpenHold
    so_far: SoFar | None

    @property
    def phase(self) -> str:
        if self.so_far is not None:
            return self.so_far.phase
        return "on another host" if self.hold.has_lease else "asked for again"


def live(sources: Sources, asked: Asked) -> Page:
    """The page."""
    return _page("live.html", sources, asked)


def live_rows(sources: Sources, asked: Asked) -> Page:
    """What of it changes, to be put in its place."""
    return _page("live_rows.html", sources, asked)


def _page(template: str, sources: Sources, asked: Asked) -> Page:
    tenant = asked.tenant
    holds = [
        hold for hold in open_holds(sources.engine, sources.now_us) if asked.wants(hold.tenant)
    ]
    rows = [Open(hold=hold, so_far=asked.live.get(hold.request_id)) for hold in holds[:SHOWN_MAX]]
    seen = [one.so_far for one in rows if one.so_far is not None]
    return Page(
        template=template,
        facts={
            "rows": rows,
            "count": len(holds),
            "held_pusd": sum(hold.hold_pusd for hold in holds),
            "so_far_pusd": sum(one.cost_pusd or 0 for one in seen),
            "output_tokens": sum(one.output_tokens for one in seen),
            "address": asked.address("/console/live/rows"),
            "tenant": tenant,
        },
        tables={"live": lambda: table_of([_record(one) for one in rows], _COLUMNS)},
    )


def _record(one: Open) -> dict[str, str | int | float | None]:
    hold, so_far = one.hold, one.so_far
    cost_pusd = None if so_far is None else so_far.cost_pusd
    return {
        "id": hold.request_id,
        "tenant": hold.tenant,
        "key_id": hold.key_id,
        "model": hold.model,
        "endpoint": hold.endpoint,
        "age_seconds": hold.age_us / 1_000_000,
        "phase": one.phase,
        "output_tokens_about": None if so_far is None else so_far.output_tokens,
        "output_cost_usd_about": None if cost_pusd is None else to_usd(cost_pusd),
        "hold_usd": to_usd(hold.hold_pusd),
        "response_id": hold.response_id,
    }
