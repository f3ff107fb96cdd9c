"""`/policies` and `/budgets`: what tenants and keys may ask, and what they may spend."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Response

from gateway.adapters.budgets import Given
from gateway.adapters.policies import policy_document
from gateway.adapters.standings import Standing
from gateway.adapters.views import budget_document
from gateway.app.admin.desk import Reading, Writing, off_loop, refusals
from gateway.app.admin.pages import ROWS, After, Limit, Page, page_of_all
from gateway.app.admin.shapes import (
    Budget,
    BudgetGiven,
    Model,
    Period,
    Policy,
    PolicyChange,
)
from gateway.app.health import ADMIN
from gateway.core.errors import InvalidRequest
from gateway.core.money import pusd_from_usd

router = APIRouter(tags=[ADMIN])


@router.get("/policies/{subject:path}", response_model=Policy)
@off_loop
def show_policy(
    desk: Reading,
    subject: str,
    *,
    effective: Annotated[bool, Query(description="With what is inherited, and from whom.")] = False,
) -> Any:
    """What is said of a tenant or key, or what is in force for it."""
    desk.owner(subject)
    with refusals():
        return policy_document(subject, desk.policies.told(subject, is_effective=effective))


@router.patch("/policies/{subject:path}", response_model=Policy)
@off_loop
def change_policy(desk: Writing, subject: str, given: Annotated[PolicyChange, Body()]) -> Any:
    """Set fields of a tenant's or key's policy; null inherits a field again."""
    desk.limited(subject)
    said = {name: value for name, value in given.items() if value is not None}
    unset = [name for name, value in given.items() if value is None]
    if not given:
        raise InvalidRequest("Nothing to set: name a field, as max_output_tokens_cap.")
    with refusals():
        desk.policies.change(subject, given=said, unset=unset)
        return policy_document(subject, desk.policies.told(subject, is_effective=False))


@router.get("/budgets", response_model=Page[Budget])
@off_loop
def list_budgets(
    desk: Reading, tenant: str | None = None, limit: Limit = ROWS, after: After = None
) -> Any:
    """Budgets in force and what their current periods come to, as a tree."""
    found = desk.budgets.list_budgets(within=desk.within(tenant))
    return page_of_all(found, (limit, after), place=_place, document=budget_document)


@router.get("/budgets/{subject:path}", response_model=Page[Budget])
@off_loop
def show_budgets(desk: Reading, subject: str) -> Any:
    """A tenant's or key's own budgets."""
    desk.owner(subject)
    with refusals():
        found = desk.budgets.list_budgets(subject)
    return {"data": [budget_document(standing) for standing in found], "next": None}


@router.put("/budgets/{subject:path}", response_model=Budget)
@off_loop
def set_budget(desk: Writing, subject: str, given: BudgetGiven) -> Any:
    """Change a budget, or begin one."""
    desk.limited(subject)
    with refusals():
        budget = desk.budgets.set_budget(
            subject, period=given.period, models=given.models, given=_said(given)
        )
        found = desk.budgets.list_budgets(subject)
    return budget_document(next(one for one in found if one.budget.id == budget.id))


@router.delete("/budgets/{subject:path}", status_code=204, response_class=Response)
@off_loop
def end_budget(
    desk: Writing,
    subject: str,
    period: Period,
    models: Annotated[list[Model] | None, Query(max_length=100)] = None,
) -> None:
    """Stop limiting. What was spent stays on record."""
    desk.limited(subject)
    with refusals():
        desk.budgets.end_budget(subject, period=period, models=models)


def _said(given: BudgetGiven) -> Given:
    said: Given = {}
    if given.limit_usd is not None:
        said["limit_pusd"] = pusd_from_usd(given.limit_usd)
    if given.tz is not None:
        said["zone"] = given.tz
    if given.hard is not None:
        said["is_hard"] = given.hard
    if given.thresholds is not None:
        said["thresholds_pct"] = tuple(given.thresholds)
    return said


def _place(standing: Standing) -> tuple[str]:
    return (standing.budget.id,)
