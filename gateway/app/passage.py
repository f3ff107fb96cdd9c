"""Requests that cost nothing by themselves: reads, deletions and the like, passed as they come.

The same way through the gateway as for those that cost, but no hold and no entry. Who minds whose
objects are named asks `Ownership`; who has to read an answer, or change it, is told by `Aftercare`.
Not here: the bytes' way (`relay`), which endpoints there are (`core.endpoints`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from gateway.app.admission import MinuteLimits, PolicySource
from gateway.app.connection import Connection
from gateway.app.passing import Aftercare, Cared, Passed, Passing
from gateway.app.reading import Desk, Reading
from gateway.app.relay import Course, Dispatch, Relay, Send
from gateway.core import headers as wire
from gateway.core.catalogue import require_visible
from gateway.core.endpoints import Match
from gateway.core.errors import InvalidRequest, Unmetered
from gateway.core.form_ids import refuse_ids
from gateway.core.strict import Json, strict_object
from gateway.core.tenant import Tenant

# What may say how a response ended, and what ends that it can be asked.
_READS = frozenset({"responses.retrieve", "responses.cancel"})
_DELETES = frozenset({"responses.delete"})


class Ownership(Protocol):
    """Who knows whose the objects are that a request names. Raises NotFound."""

    async def check(self, match: Match, fields: Mapping[str, Json], tenant: Tenant) -> None: ...


class HardBudgets(Protocol):
    """Who knows whether a hard budget is on a tenant's way. Raises LedgerUnavailable."""

    async def bind(self, tenant: Tenant) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Passes requests; `aftercare` is by the endpoint's name."""

    relay: Relay
    policies: PolicySource
    minutes: MinuteLimits
    desk: Desk
    ownership: Ownership
    budgets: HardBudgets
    aftercare: Mapping[str, Aftercare] = field(default_factory=dict)

    async def carry(self, passed: Passed, send: Send, connection: Connection) -> int:
        """Pass a request and relay its answer; returns the answer's HTTP status.

        Raises InvalidRequest, RateExceeded, what `Ownership.check` raises, LedgerUnavailable and
        UpstreamUnavailable.
        """
        endpoint = passed.match.endpoint
        effective = await self.policies.find(passed.tenant)
        if (model := passed.match.ids.get("model")) is not None:
            require_visible(model, effective.policy.models)
        if endpoint.is_unmetered and await self.budgets.bind(passed.tenant):
            raise Unmetered
        await self.minutes.admit(effective.counted, key_id=passed.tenant.key_id)
        await self.ownership.check(passed.match, _fields(passed), passed.tenant)
        dispatch = Dispatch(
            method=endpoint.method,
            path=passed.path,
            headers=passed.headers,
            body=passed.body,
            # What only reads is not read on for nobody; what does something has to be seen done.
            cancels_on_disconnect=endpoint.method == "GET",
            attempts_max=effective.policy.attempts_max or 1,
        )
        course = await self._course(passed)
        return await self.relay.carry(dispatch, course, send, connection)

    async def _course(self, passed: Passed) -> Course:
        name = passed.match.endpoint.name
        if name in _READS or name in _DELETES:
            owed = await self.desk.owed(passed.match.ids["response_id"])
            if owed is not None and name in _READS:
                return Reading(passed, self.desk, owed)
            if owed is not None:
                await self.desk.ask(owed)
        care = self.aftercare.get(name)
        return Passing(passed) if care is None else Cared(passed, care)


def _fields(passed: Passed) -> dict[str, Json]:
    if not passed.body:
        return {}
    if wire.is_form(passed.headers):
        refuse_ids(passed.body)
        return {}
    if not passed.match.endpoint.has_body:
        raise InvalidRequest(f"{passed.match.endpoint.method} takes no body.")
    return strict_object(passed.body)
