"""Hop 3: a body becomes a hold, or is refused. Reads the clock and the policy in force."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace as replace_hold
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from gateway.adapters.chains import READ_SECONDS_MAX
from gateway.core.admit import BUDGET_TAG, CUT_TAG, POLICY_TAG, Admitted, Change, told
from gateway.core.attribution import attribution
from gateway.core.budget import ConcurrencyLimit, Terms
from gateway.core.decision import Decision, decide
from gateway.core.endpoints import Endpoint
from gateway.core.exchange import BACKGROUND_TAG, SOONEST, STORE_TAG, USAGE_TAG, Hold
from gateway.core.headers import Headers
from gateway.core.inheritance import Effective, Level
from gateway.core.ownership import Reference, references, unlisted
from gateway.core.price_book import PriceBook
from gateway.core.request import ResponseRequest
from gateway.core.tenant import Tenant


class PolicySource(Protocol):
    """Where the policy in force for a key is found."""

    async def find(self, tenant: Tenant) -> Effective: ...


class PriceSource(Protocol):
    """Where the prices in force are found."""

    async def book(self) -> PriceBook: ...


class ChainSource(Protocol):
    """Where the length of a response is found."""

    async def tokens(self, response_id: str, *, tenant: str, model: str) -> int | None: ...


class Owners(Protocol):
    """Who knows whose an object is."""

    async def check(self, named: Sequence[Reference], tenant: str) -> None: ...


class MinuteLimits(Protocol):
    """What refuses the requests of a minute that are too many."""

    async def admit(self, levels: tuple[Level, ...], *, key_id: str) -> None: ...


class Permit(Struct, frozen=True, kw_only=True):
    """A request as it may be sent, and how it is to be treated."""

    hold: Hold
    body: bytes  # the client's own, unless the policy or its budget changed it
    decision: Decision
    terms: Terms

    @property
    def changes(self) -> tuple[Change, ...]:
        """What of the request is not as the client wrote it."""
        return self.decision.admitted.changes

    @property
    def counts_input(self) -> bool:
        """Whether the upstream may be asked how long its input is."""
        decision = self.decision
        is_asked = decision.policy.input_count == "upstream" and decision.price is not None
        return is_asked and decision.admitted.request.is_countable

    def counted(self, input_tokens: int) -> "Permit":
        """With the upstream's own count of its input."""
        asked = replace(self.decision.asked, counted_input_tokens=input_tokens)
        return self._decided(self.decision.bounded_by(asked))

    def fitted(self, left_pusd: int) -> "Permit | None":
        """With as much output as this money can pay; None where that is too little."""
        decision = self.decision.fitted(left_pusd)
        return None if decision is None else self._decided(decision, **{BUDGET_TAG: "true"})

    def _decided(self, decision: Decision, **why: str) -> "Permit":
        admitted, worst = decision.admitted, decision.bound
        assert worst is not None
        tags = {**self.hold.tags, **_policy_tag(admitted.changes), **why}
        return replace(
            self,
            decision=decision,
            hold=replace_hold(
                self.hold,
                hold_pusd=worst.hold_pusd,
                max_output_tokens=admitted.request.max_output_tokens,
                tags=tags,
            ),
            body=self.body if admitted.body is None else admitted.body,
            terms=replace(self.terms, unbounded=decision.unbounded),
        )


class Admission:
    """Applies the policy to a request, prices it at its arrival and finds its worst case."""

    def __init__(  # noqa: PLR0913 - what it brings together, all by name
        self,
        *,
        prices: PriceSource,
        policies: PolicySource,
        chains: ChainSource,
        owners: Owners,
        minutes: MinuteLimits,
        is_unpriced_allowed: bool,
        now_us: Callable[[], int],  # the database's clock: prices and periods go by it
        client_tags: frozenset[str] = frozenset(),  # names of tags that clients may say
        spares_usage: bool = False,  # whether streams that did not ask for it are spared the usage
    ) -> None:
        self._spares_usage = spares_usage
        self._client_tags = client_tags
        self._now_us = now_us
        self._prices = prices
        self._policies = policies
        self._chains = chains
        self._owners = owners
        self._minutes = minutes
        self._is_unpriced_allowed = is_unpriced_allowed

    async def admit(
        self, body: bytes, *, endpoint: Endpoint, tenant: Tenant, request_id: str, headers: Headers
    ) -> Permit:
        """The hold that the ledger must make durable.

        Raises InvalidRequest and its kinds, or RateExceeded for a request that would be one;
        NotFound for what is not the tenant's, LedgerUnavailable where nobody can say.
        """
        effective = await self._policies.find(tenant)
        now_us = self._now_us()
        decision = decide(
            body,
            policy=effective.policy,
            book=await self._prices.book(),
            is_unpriced_allowed=self._is_unpriced_allowed,
            now_us=now_us,
            form=endpoint.form or ResponseRequest,
        )
        await self._minutes.admit(effective.counted, key_id=tenant.key_id)
        if named := references(decision.admitted.request.fields):
            await self._owners.check(unlisted(named, effective.policy.objects), tenant.path)
        decision, asked_seconds = await self._continued(decision, tenant)
        admitted, request = decision.admitted, decision.admitted.request
        hold = Hold(
            request_id=request_id,
            tenant=tenant.path,
            key_id=tenant.key_id,
            created_at_us=now_us,
            hold_pusd=0 if decision.bound is None else decision.bound.hold_pusd,
            endpoint=endpoint.name,
            model=request.model,
            service_tier=request.service_tier,
            is_stream=request.is_stream,
            max_output_tokens=request.max_output_tokens,
            price=decision.price,
            tags={
                **attribution(headers, request.fields, allowed=self._client_tags),
                **_tags(admitted, spares_usage=self._spares_usage),
            },
        )
        return Permit(
            hold=hold,
            body=body if admitted.body is None else admitted.body,
            decision=decision,
            terms=Terms(
                unbounded=decision.unbounded,
                concurrency=_concurrency(effective),
                asked_seconds=asked_seconds,
            ),
        )

    async def _continued(self, decision: Decision, tenant: Tenant) -> tuple[Decision, float]:
        """With the length of the response that it continues, if known; seconds that took."""
        before = decision.admitted.request.previous_response_id
        if before is None or decision.price is None:
            return decision, 0.0
        began = time.monotonic()
        tokens = await self._chains.tokens(before, tenant=tenant.path, model=decision.price.name)
        asked_seconds = min(time.monotonic() - began, READ_SECONDS_MAX)
        asked = replace(decision.asked, previous_tokens=tokens)
        return decision.bounded_by(asked), asked_seconds


def _concurrency(effective: Effective) -> tuple[ConcurrencyLimit, ...]:
    return tuple(
        ConcurrencyLimit(subject=level.subject, open_max=level.policy.concurrent_max)
        for level in effective.counted
        if level.policy.concurrent_max is not None
    )


def _tags(admitted: Admitted, *, spares_usage: bool) -> dict[str, str]:
    tags = _policy_tag(admitted.changes)
    if spares_usage and admitted.asks_usage:
        tags[USAGE_TAG] = "left_out"
    if not admitted.request.keeps_history:
        tags[CUT_TAG] = "true"
    if admitted.request.is_background:
        tags[BACKGROUND_TAG] = admitted.request.window or SOONEST
    elif admitted.request.is_stored is False:
        tags[STORE_TAG] = "false"
    return tags


def _policy_tag(changes: tuple[Change, ...]) -> dict[str, str]:
    return {POLICY_TAG: told(changes)} if changes else {}
