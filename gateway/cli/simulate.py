"""`gateway simulate`: would this request be admitted, and held at what. Nothing is sent or held."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.access import now_us, settings_from
from gateway.cli.exits import CheckFailed, WrongUsage
from gateway.cli.options import ConfigOption, JsonOption
from gateway.cli.output import print_json
from gateway.cli.policies import policies_of
from gateway.cli.prices import book_in_force
from gateway.core.money import to_usd

if TYPE_CHECKING:
    from gateway.app.admission import Decision
    from gateway.core.errors import InvalidRequest
    from gateway.core.policy import Policy


def simulate(
    file: Annotated[
        typer.FileBinaryRead, typer.Argument(help="A request's body (JSON); - reads stdin.")
    ],
    tenant: Annotated[str | None, typer.Option(metavar="PATH", help="As this tenant.")] = None,
    key: Annotated[str | None, typer.Option(metavar="ID", help="With this key.")] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Whether a request would be admitted, and what would be held for it, line by line."""
    from gateway.app.admission import decide
    from gateway.core.errors import InvalidRequest

    if tenant and key:
        raise WrongUsage("--tenant and --key: name one, as a key has its tenant's policy too")
    try:
        decision = decide(
            file.read(),
            policy=_policy(tenant or key, config),
            book=book_in_force(config),
            is_unpriced_allowed=settings_from(config).policy.unpriced == "record",
            now_us=now_us(),
        )
    except InvalidRequest as refused:
        _refuse(refused, json=json)
    else:
        print_json(_record(decision)) if json else _print(decision)


def _policy(subject: str | None, config: Path | None) -> "Policy":
    from gateway.core.inheritance import effective

    if subject is None:
        return effective([]).policy
    with policies_of(config) as policies:
        return effective(policies.levels(subject)).policy


def _refuse(refused: "InvalidRequest", *, json: bool) -> None:
    if not json:
        raise CheckFailed(f"refused: {refused.message} ({refused.code})")
    print_json(
        {
            "admitted": False,
            "code": refused.code,
            "param": refused.param,
            "message": refused.message,
        }
    )
    raise typer.Exit(CheckFailed.exit_code)


def _record(decision: "Decision") -> dict[str, object]:
    worst = decision.bound
    return {
        "admitted": True,
        "model": decision.admitted.request.model,
        "changes": {change.field: change.now for change in decision.admitted.changes},
        "hold_usd": None if worst is None else to_usd(worst.hold_pusd),
        "reasons": [] if worst is None else list(worst.reasons),
        "unbounded": []
        if worst is None
        else [{"param": one.field, "message": one.sentence} for one in worst.unbounded],
    }


def _print(decision: "Decision") -> None:
    from gateway.core.admit import told

    worst, changes = decision.bound, decision.admitted.changes
    print(f"admitted  {decision.admitted.request.model}")
    if changes:
        print(f"changed   {told(changes)}")
    if worst is None:
        print("held      nothing: the model has no price")
        return
    print(f"held      {to_usd(worst.hold_pusd)} USD")
    for reason in worst.reasons:
        print(f"          {reason}")
    for one in worst.unbounded:
        print(f"no bound  {one.sentence}")
