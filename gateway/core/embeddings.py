"""The fields of an embedding's body that we read, in the terms of any request that costs.

It writes no tokens, and reads each of its inputs by itself. Not here: what its answer says
(`chat_facts`).
"""

from typing import Self

from gateway.core.content import Content
from gateway.core.request import Request, model_in
from gateway.core.strict import Json

_RULED = frozenset({"model", "input"})


class EmbeddingsRequest(Request, frozen=True, kw_only=True):
    """What the gateway needs to know of `POST /v1/embeddings`."""

    ruled = _RULED
    familiar = _RULED | {"dimensions", "encoding_format", "user"}
    has_tiers = False
    takes_output_limit = False

    @classmethod
    def of(cls, fields: dict[str, Json], body: bytes, unfamiliar: frozenset[str]) -> Self:
        """The request that these fields are."""
        content = _content_of(fields.get("input"))
        return cls(
            model=model_in(fields),
            content=content,
            is_stored=False,
            max_output_tokens=0,
            inputs=max(content.items, 1),
            unfamiliar=unfamiliar,
            body_bytes=len(body),
            fields=fields,
        )


def _content_of(given: Json) -> Content:
    """One input, or several: texts, or tokens by number. A number has a byte at least."""
    if not isinstance(given, list):
        return Content(items=1)
    several = sum(isinstance(one, str | list) for one in given)
    return Content(items=several or 1)
