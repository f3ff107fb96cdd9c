"""Requests that are passed: what they name is the tenant's own, what they make is put on record.

Not here: requests that cost (`admission`; what they make rides with their entry).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import msgspec

from gateway.adapters.ownership import Ownership
from gateway.app.admission import PolicySource
from gateway.app.passing import Aftercare, Passed
from gateway.core.catalogue import only
from gateway.core.endpoints import Match
from gateway.core.ownership import (
    IDS,
    Kind,
    path_reference,
    references,
    refuse_unknown_ids,
    unlisted,
)
from gateway.core.prefixes import COLLECTIONS
from gateway.core.strict import Json
from gateway.core.tenant import Tenant


class _Named(msgspec.Struct):
    id: str | None = None


class _Answer(_Named):
    data: list[_Named] = []


class _Given(msgspec.Struct):
    items: list[_Named] = []


_decode = msgspec.json.Decoder(_Answer).decode
_decode_given = msgspec.json.Decoder(_Given).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Custody:
    """Minds whose objects are named in passing, and keeps what answers tell of them."""

    owners: Ownership
    policies: PolicySource

    async def check(self, match: Match, fields: Mapping[str, Json], tenant: Tenant) -> None:
        """Raise NotFound for what is not the tenant's, LedgerUnavailable where nobody can say.

        InvalidRequest for an id below a passed prefix, where we do not know what it names.
        """
        if match.endpoint.is_unmetered:
            refuse_unknown_ids(dict(fields))
        named = [*path_reference(match.ids), *references(dict(fields))]
        if named:
            policy = (await self.policies.find(tenant)).policy
            await self.owners.check(unlisted(named, policy.objects), tenant.path)

    def aftercare(self) -> dict[str, Aftercare]:
        """What is done with answers, by the name of their endpoint."""
        made = Aftercare(act=partial(self._made, Kind.CONVERSATION))
        return {
            "conversations.create": made,
            "conversations.delete": Aftercare(act=self._gone),
            "conversations.items.create": Aftercare(act=self._added),
            **self._of_collections(),
        }

    def _of_collections(self) -> dict[str, Aftercare]:
        """The same of what is kept by id below paths that are passed."""
        care = {}
        for name, id_name in COLLECTIONS.items():
            care[f"{name}.create"] = Aftercare(act=partial(self._made, IDS[id_name]))
            care[f"{name}.list"] = Aftercare(act=self._own, is_rewriting=True)
            care[f"{name}.delete"] = Aftercare(act=self._gone)
        return care

    async def _made(self, kind: Kind, passed: Passed, body: bytes) -> bytes:
        made = _read(body).id
        if made is not None:
            await self.owners.made(kind, made, passed.tenant.path)
        return body

    async def _own(self, passed: Passed, body: bytes) -> bytes:
        """A list of what is kept, less what others keep."""
        ids = [one.id for one in _read(body).data if one.id is not None]
        return only(body, await self.owners.of(passed.tenant.path, ids))

    async def _gone(self, passed: Passed, body: bytes) -> bytes:
        await self.owners.gone(next(iter(passed.match.ids.values())), passed.tenant.path)
        return body

    async def _added(self, passed: Passed, body: bytes) -> bytes:
        """Items that are new: an id that the client brought may be another's, whoever shows it."""
        brought = _brought(passed.body)
        if brought is not None:
            told = [one.id for one in _read(body).data if one.id is not None]
            await self.owners.answered(
                [one for one in told if one not in brought], passed.tenant.path
            )
        return body


def _brought(body: bytes) -> set[str | None] | None:
    """The ids of the items that a request brings; None where nobody can say."""
    try:
        return {one.id for one in _decode_given(body).items}
    except (ValueError, RecursionError):
        return None


def _read(body: bytes) -> _Answer:
    """What an answer names; nothing where it is none of those that are known."""
    try:
        return _decode(body)
    except (ValueError, RecursionError):
        return _Answer()
