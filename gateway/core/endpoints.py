"""Which requests are served: one table of endpoints, and the way from a raw path into it.

An id in a path is decoded and checked here, and the upstream's path is written anew from it: no two
readers can take one path for different things. Not here: whose an id is, or what is done then.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from gateway.core.chat import ChatRequest
from gateway.core.compaction import COMPACT, CompactRequest
from gateway.core.embeddings import EmbeddingsRequest
from gateway.core.errors import NotFound
from gateway.core.request import Request, ResponseRequest

ROOT = "/v1"
# What an id may be: no slash, no dot segment, nothing that is still encoded once it was decoded.
_ID = re.compile(rb"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,255}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A method and a path that are served; ids in it are in braces."""

    name: str  # as holds and entries know it
    method: str
    template: str  # as metrics know it
    form: type[Request] | None = None  # how what costs is read; None: it costs nothing
    is_unmetered: bool = False  # it may cost, and is passed all the same

    @property
    def is_metered(self) -> bool:
        """Whether it costs: a hold before it is sent, an entry after."""
        return self.form is not None

    @property
    def has_body(self) -> bool:
        return self.method == "POST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A request's endpoint. `path` is the upstream's, behind the `/v1` of its base."""

    endpoint: Endpoint
    path: str
    ids: Mapping[str, str] = field(default_factory=dict)  # by their names in the template


def _metered(name: str, path: str, form: type[Request]) -> Endpoint:
    return Endpoint(name=name, method="POST", template=ROOT + path, form=form)


def _passed(name: str, method: str, path: str) -> Endpoint:
    return Endpoint(name=name, method=method, template=ROOT + path)


_RESPONSE = "/responses/{response_id}"
_CONVERSATION = "/conversations/{conversation_id}"
_ITEM = f"{_CONVERSATION}/items/{{item_id}}"

ENDPOINTS = (
    _metered("responses", "/responses", ResponseRequest),
    _metered(COMPACT, "/responses/compact", CompactRequest),
    _metered("chat.completions", "/chat/completions", ChatRequest),
    _metered("embeddings", "/embeddings", EmbeddingsRequest),
    _passed("moderations", "POST", "/moderations"),  # free upstream, whatever it is given
    _passed("models.list", "GET", "/models"),
    _passed("models.retrieve", "GET", "/models/{model}"),
    _passed("responses.input_tokens", "POST", "/responses/input_tokens"),
    _passed("responses.retrieve", "GET", _RESPONSE),
    _passed("responses.delete", "DELETE", _RESPONSE),
    _passed("responses.cancel", "POST", f"{_RESPONSE}/cancel"),
    _passed("responses.input_items", "GET", f"{_RESPONSE}/input_items"),
    _passed("conversations.create", "POST", "/conversations"),
    _passed("conversations.retrieve", "GET", _CONVERSATION),
    _passed("conversations.update", "POST", _CONVERSATION),
    _passed("conversations.delete", "DELETE", _CONVERSATION),
    _passed("conversations.items.create", "POST", f"{_CONVERSATION}/items"),
    _passed("conversations.items.list", "GET", f"{_CONVERSATION}/items"),
    _passed("conversations.items.retrieve", "GET", _ITEM),
    _passed("conversations.items.delete", "DELETE", _ITEM),
)
_FIXED = {
    (one.method, one.template.encode()): Match(endpoint=one, path=one.template.removeprefix(ROOT))
    for one in ENDPOINTS
    if "{" not in one.template
}


def _templates() -> list[str]:
    """Each once; those without ids first, for no id looks like a path that is there."""
    return sorted(dict.fromkeys(one.template for one in ENDPOINTS), key=lambda one: "{" in one)


def _pattern(template: str) -> re.Pattern[bytes]:
    return re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", template).encode() + rb"\Z")


_PATHS = tuple(
    (_pattern(template), {one.method: one for one in ENDPOINTS if one.template == template})
    for template in _templates()
)


def find(method: str, raw_path: bytes) -> Match:
    """The endpoint of a request. Raises NotFound saying what is served."""
    return _FIXED.get((method, raw_path)) or _searched(method, raw_path)


def _searched(method: str, raw_path: bytes) -> Match:
    for pattern, endpoints in _PATHS:
        found = pattern.match(raw_path)
        ids = None if found is None else _ids(found.groupdict())
        if ids is None:
            continue
        endpoint = endpoints.get(method)
        if endpoint is None:
            raise _not_served(method, raw_path, f"this path takes {' and '.join(endpoints)}")
        path = endpoint.template.removeprefix(ROOT).format_map(ids)
        return Match(endpoint=endpoint, path=path, ids=ids)
    raise _not_served(method, raw_path, f"it serves {', '.join(_templates())}")


def _ids(pieces: Mapping[str, bytes]) -> dict[str, str] | None:
    """The ids by their names; None where one of them is none."""
    ids = {}
    for name, piece in pieces.items():
        said = id_in(piece)
        if said is None:
            return None
        ids[name] = said
    return ids


def id_in(piece: bytes) -> str | None:
    """The id that a piece of a raw path is; None where it is none."""
    said = unquote_to_bytes(piece)
    return None if _ID.match(said) is None else said.decode("ascii")


def _not_served(method: str, raw_path: bytes, what_is: str) -> NotFound:
    asked = f"{method} {raw_path.decode('latin-1')}"
    return NotFound(f"{asked} is not served by this gateway; {what_is}.")
