"""`gateway simulate`: would this request be admitted, held at what, and would its budgets take it.

Nothing is sent or held.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.access import now_us, settings_from
from gateway.cli.book import book_in_force
from gateway.cli.budgets import budgets_of
from gateway.cli.exits import CheckFailed, WrongUsage
from gateway.cli.options import ConfigOption, JsonOption
from gateway.cli.output import print_json
from gateway.cli.policies import policies_of
from gateway.core.money import to_usd

if TYPE_CHECKING:
    from gateway.adapters.standings import Standing
    from gateway.core.decision import Decision
    from gateway.core.errors import GatewayError
    from gateway.core.policy import Policy
    from gateway.core.request import Request


def simulate(
    file: Annotated[
        typer.FileBinaryRead, typer.Argument(help="A request's body (JSON); - reads stdin.")
    ],
    tenant: Annotated[str | None, typer.Option(metavar="PATH", help="As this tenant.")] = None,
    key: Annotated[str | None, typer.Option(metavar="ID", help="With this key.")] = None,
    endpoint: Annotated[
        str, typer.Option(metavar="NAME", help="To responses, chat.completions, embeddings …")
    ] = "responses",
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Whether a request would be admitted, what would be held for it, and of which budgets."""
    from gateway.core.decision import decide
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
            form=_form(endpoint),
        )
    except InvalidRequest as refused:
        _refuse(refused, json=json)
        return
    on_way = _budgets(tenant or key, decision, config)
    decision, refusal = _held_of(on_way, decision)
    if json:
        print_json(_record(decision, on_way, refusal))
    else:
        _print(decision, on_way, refusal)
    if refusal is not None:
        raise CheckFailed(f"refused: {refusal.message} ({refusal.code})")


def _form(endpoint: str) -> "type[Request]":
    from gateway.core.endpoints import ENDPOINTS

    forms = {one.name: one.form for one in ENDPOINTS if one.form is not None}
    if endpoint not in forms:
        raise WrongUsage(f"{endpoint!r} costs nothing; what does is {', '.join(forms)}")
    return forms[endpoint]


def _policy(subject: str | None, config: Path | None) -> "Policy":
    from gateway.core.inheritance import effective

    if subject is None:
        return effective([]).policy
    with policies_of(config) as policies:
        return effective(policies.levels(subject)).policy


def _budgets(subject: str | None, decision: "Decision", config: Path | None) -> "list[Standing]":
    if subject is None:
        return []
    price, model = decision.price, decision.admitted.request.model
    with budgets_of(config) as budgets:
        return budgets.list_on_way(subject, {model} if price is None else {model, price.name})


def _held_of(
    on_way: "Sequence[Standing]", decision: "Decision"
) -> "tuple[Decision, GatewayError | None]":
    """The request as its budgets would take it, or why they would not."""
    from gateway.core.errors import BudgetExhausted, BudgetHeld

    refusal = _obstacle(on_way, decision)
    if isinstance(refusal, BudgetExhausted | BudgetHeld) and decision.fits_output:
        fitted = decision.fitted(refusal.left_pusd)
        if fitted is not None:
            return fitted, _obstacle(on_way, fitted)
    return decision, refusal


def _obstacle(on_way: "Sequence[Standing]", decision: "Decision") -> "GatewayError | None":
    from gateway.core.budget import Terms, obstacle

    return obstacle(
        [standing.account for standing in on_way],
        0 if decision.bound is None else decision.bound.hold_pusd,
        budgets={standing.budget.id: standing.budget for standing in on_way},
        terms=Terms(unbounded=decision.unbounded),
        now_us=now_us(),
    )


def _refuse(refused: "GatewayError", *, json: bool) -> None:
    if json:
        print_json({"admitted": False, **_reason(refused)})
    raise CheckFailed(f"refused: {refused.message} ({refused.code})")


def _reason(refused: "GatewayError") -> dict[str, object]:
    return {"code": refused.code, "param": refused.param, "message": refused.message}


def _record(
    decision: "Decision", on_way: "Sequence[Standing]", refusal: "GatewayError | None"
) -> dict[str, object]:
    worst = decision.bound
    return {
        "admitted": refusal is None,
        **({} if refusal is None else _reason(refusal)),
        "model": decision.admitted.request.model,
        "changes": {change.field: change.now for change in decision.admitted.changes},
        "hold_usd": None if worst is None else to_usd(worst.hold_pusd),
        "reasons": [] if worst is None else list(worst.reasons),
        "unbounded": []
        if worst is None
        else [{"param": one.field, "message": one.sentence} for one in worst.unbounded],
        "budgets": [
            {
                "subject": standing.budget.subject,
                "budget": standing.budget.name,
                "hard": standing.account.is_hard,
                "left_usd": to_usd(standing.account.left_pusd),
                "fits": standing.account.fits(0 if worst is None else worst.hold_pusd),
            }
            for standing in on_way
        ],
    }


def _print(
    decision: "Decision", on_way: "Sequence[Standing]", refusal: "GatewayError | None"
) -> None:
    from gateway.core.admit import told

    changes = decision.admitted.changes
    print(f"{'admitted' if refusal is None else 'refused '}  {decision.admitted.request.model}")
    if changes:
        print(f"changed   {told(changes)}")
    _print_hold(decision)
    hold_pusd = 0 if decision.bound is None else decision.bound.hold_pusd
    for standing in on_way:
        budget, account = standing.budget, standing.account
        room = "enough" if account.fits(hold_pusd) else "too little"
        manner = room if account.is_hard else "soft: refuses nothing"
        left = f"{to_usd(account.left_pusd)} USD left of {to_usd(account.limit_pusd)}"
        print(f"budget    {budget.subject} {budget.name}: {left}, {manner}")


def _print_hold(decision: "Decision") -> None:
    worst = decision.bound
    if worst is None:
        print("held      nothing: the model has no price")
        return
    print(f"held      {to_usd(worst.hold_pusd)} USD")
    for reason in worst.reasons:
        print(f"          {reason}")
    for one in worst.unbounded:
        print(f"no bound  {one.sentence}")
