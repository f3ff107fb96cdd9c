"""Where one request of the admin API is served: verbs in its caller's name, and what exists for it.

Each route asks for a desk with the scope that it takes. What belongs to others is looked up here
only, so that the answer is the same 404 whether a thing is another's or nobody's.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial, wraps
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request

from gateway.adapters.budgets import Budgets, BudgetUnknown
from gateway.adapters.directory import Directory, KeyRow, KeyUnknown, TenantRow, TenantUnknown
from gateway.adapters.overrides import Overrides, laid_over
from gateway.adapters.policies import Owner, Policies, SubjectUnknown, owner_of
from gateway.app.admin.office import Office
from gateway.core.errors import InvalidRequest, NotFound
from gateway.core.grant import (
    KEYS,
    PRICES,
    READ,
    WRITE,
    Grant,
    authorize,
    authorize_limits,
    require,
)
from gateway.core.price_book import PriceBook

GRANT = "grant"  # what the plane found of the caller, in the scope's state

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One request's. All but `office` and `grant` asks the database: call it off the loop."""

    office: Office
    grant: Grant

    @property
    def directory(self) -> Directory:
        """Tenants and keys."""
        return Directory(**self._verbs)

    @property
    def policies(self) -> Policies:
        return Policies(**self._verbs)

    @property
    def budgets(self) -> Budgets:
        return Budgets(**self._verbs)

    @property
    def overrides(self) -> Overrides:
        return Overrides(**self._verbs)

    @property
    def book(self) -> PriceBook:
        """The prices in force."""
        return laid_over(self.office.engine, self.office.files)

    def within(self, tenant: str | None) -> str | None:
        """Whose rows a list has: the tenant's that was asked for, at most the caller's.

        Raises NotFound.
        """
        return self.grant.tenant if tenant is None else self.tenant(tenant).path

    def tenant(self, path: str) -> TenantRow:
        """A tenant that exists for the caller. Raises NotFound."""
        try:
            found = self.directory.find_tenant(path) if self.grant.sees(path) else None
        except TenantUnknown:
            found = None
        if found is None:
            raise NotFound(f"There is no tenant {path!r} here.")
        return found

    def key(self, key_id: str) -> KeyRow:
        """A key that exists for the caller. Raises NotFound."""
        try:
            found = self.directory.find_key(key_id)
        except KeyUnknown:
            found = None
        if found is None or not self.grant.sees(found.tenant):
            raise NotFound(f"There is no key {key_id!r} here.")
        return found

    def owner(self, subject: str) -> Owner:
        """Whose a tenant or key is that exists for the caller. Raises NotFound."""
        try:
            with self.office.engine.connect() as connection:
                found = owner_of(connection, subject)
        except SubjectUnknown:
            found = None
        if found is None or not self.grant.sees(found.tenant):
            raise NotFound(f"There is no tenant and no key {subject!r} here.")
        return found

    def limited(self, subject: str) -> None:
        """Let pass who may change what limits a tenant or key. Raises NotFound, ScopeMissing."""
        owner = self.owner(subject)
        authorize_limits(self.grant, owner.tenant, is_key=owner.is_key)

    def everything(self, scope: str) -> None:
        """Let pass who may do this with what is the whole gateway's. Raises ScopeMissing."""
        authorize(self.grant, scope)

    @property
    def _verbs(self) -> dict[str, Any]:
        office = self.office
        return {"engine": office.engine, "now_us": office.now_us, "author": self.grant.by}


def _desk_for(scope: str) -> Callable[[Request], Desk]:
    async def seat(request: Request) -> Desk:
        grant = getattr(request.state, GRANT)
        require(grant, scope)
        return Desk(office=request.app.state.office, grant=grant)

    return seat  # type: ignore[return-value]  # FastAPI awaits it


Reading = Annotated[Desk, Depends(_desk_for(READ))]
Writing = Annotated[Desk, Depends(_desk_for(WRITE))]
Keeping = Annotated[Desk, Depends(_desk_for(KEYS))]
Pricing = Annotated[Desk, Depends(_desk_for(PRICES))]


def off_loop(handler: Callable[..., T]) -> Callable[..., Awaitable[T]]:
    """A route's work, in the office's threads. Its parameter `desk` says whose they are."""

    @wraps(handler)
    async def answered(*, desk: Desk, **named: Any) -> T:
        return await desk.office.run(partial(handler, desk=desk, **named))

    return answered


@contextmanager
def refusals() -> Iterator[None]:
    """What the verbs refuse, as errors of the API: what is not there, and what cannot be."""
    try:
        yield
    except (TenantUnknown, KeyUnknown, SubjectUnknown, BudgetUnknown) as unknown:
        raise NotFound(str(unknown)) from None
    except ValueError as refused:
        raise InvalidRequest(str(refused)) from None
