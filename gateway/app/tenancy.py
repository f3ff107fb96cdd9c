"""How a tenant begins: itself, those above it, and what settings give to each new one.

The command line, the API and the console create tenants here. Not here: tenants that are there.
"""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.adapters.budgets import Budgets, Given
from gateway.adapters.database import Source, write_transaction
from gateway.adapters.directory import Directory
from gateway.adapters.policies import Policies
from gateway.config.callers import Tenants
from gateway.core.budget import Budget
from gateway.core.money import pusd_from_usd
from gateway.core.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What was created: paths, and what the last of them was given."""

    new: tuple[str, ...]
    budget: Budget | None = None
    policy: Policy | None = None


def begin_tenant(
    source: Source, path: str, *, given: Tenants, now_us: Callable[[], int], author: str
) -> Begun:
    """Create a tenant and those above it, all or nothing. What is there already stays as it is.

    Raises ValueError where the path is none.
    """
    with write_transaction(source) as connection:
        new = Directory(engine=connection, now_us=now_us, author=author).create_tenant(path)
        if path not in new:
            return Begun(new=tuple(new))
        budget = policy = None
        if given.budget_limit_usd is not None:
            limit: Given = {
                "limit_pusd": pusd_from_usd(given.budget_limit_usd),
                "is_hard": given.budget_is_hard,
            }
            budgets = Budgets(engine=connection, now_us=now_us, author=author)
            budget = budgets.set_budget(path, period=given.budget_period, given=limit)
        if given.max_output_tokens_default is not None:
            said = {"max_output_tokens_default": given.max_output_tokens_default}
            policies = Policies(engine=connection, now_us=now_us, author=author)
            policy = policies.change(path, given=said)
        return Begun(new=tuple(new), budget=budget, policy=policy)
