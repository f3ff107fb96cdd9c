"""The fields of a compaction's body, in the terms of any request that costs.

It is read as a response is, and writes one item: no limit of its output can be set, no tool runs,
and nothing of it is kept to be asked for.
"""

from typing import Self

from msgspec.structs import replace

from gateway.core.request import ResponseRequest
from gateway.core.strict import Json

COMPACT = "responses.compact"  # the endpoint; its answers tell no tier


class CompactRequest(ResponseRequest, frozen=True, kw_only=True):
    """What the gateway needs to know of `POST /v1/responses/compact`."""

    takes_output_limit = False

    @property
    def has_hosted_tools(self) -> bool:
        """Tools are only read: they are part of what is compacted."""
        return False

    @classmethod
    def of(cls, fields: dict[str, Json], body: bytes, unfamiliar: frozenset[str]) -> Self:
        """The request that these fields are."""
        read = super().of(fields, body, unfamiliar)
        tools = read.own_tools + len(read.hosted_tools)
        return replace(read, is_stored=False, hosted_tools=(), own_tools=tools)
