"""Paths that an operator has passed beside what is served: they may cost, and nothing meters them.

What they keep by id is owned as all else is, as far as it is known here. Not here: the endpoints
that are served (`endpoints`), or who may use these (`app.passage`).
"""

import re
from collections.abc import Sequence

from gateway.core.endpoints import ENDPOINTS, ROOT, Endpoint, Match, find, id_in

# What is kept by id below a path of this name, by the name that such an id has elsewhere.
COLLECTIONS = {"files": "file_id", "vector_stores": "vector_store_id", "containers": "container_id"}
METHODS = frozenset({"GET", "POST", "DELETE"})

_PREFIX = re.compile(r"/v1(/[a-z][a-z_]*)+")
_WORD = re.compile(r"[a-z_]+")  # upstream's ids have digits
_OURS = {one.template.split("/")[2] for one in ENDPOINTS} | {"gateway"}
_VERBS = {("POST", 0): "create", ("GET", 0): "list", ("DELETE", 1): "delete"}


def prefixes_from(text: str) -> tuple[str, ...]:
    """The prefixes of a list with commas between. ValueError says which cannot be passed."""
    found = [one.strip().removesuffix("/") for one in text.split(",") if one.strip()]
    for one in found:
        if not _PREFIX.fullmatch(one):
            raise ValueError(f"{one!r} is no path like /v1/audio")
        if one.split("/")[2] in _OURS:
            raise ValueError(f"{one!r} is served by the gateway itself")
    return tuple(found)


def find_any(method: str, raw_path: bytes, prefixes: Sequence[str]) -> Match:
    """The endpoint of a request, which may be below a prefix. Raises NotFound."""
    for prefix in prefixes:
        if method in METHODS and (raw_path + b"/").startswith(prefix.encode() + b"/"):
            match = _below(prefix, method, raw_path)
            if match is not None:
                return match
    return find(method, raw_path)


def _below(prefix: str, method: str, raw_path: bytes) -> Match | None:
    """None where a piece of the path is none that can only be read in one way."""
    pieces = [id_in(piece) for piece in raw_path.split(b"/")[2:]]
    known = [piece for piece in pieces if piece is not None]
    if len(known) < len(pieces):
        return None
    ids, name = {}, "passed"
    if known[0] not in COLLECTIONS:
        # What else may be kept there is nobody's here: no id and no list of it passes.
        if method != "POST" or not all(map(_WORD.fullmatch, known)):
            return None
    else:
        within = known[1:]
        ids = {COLLECTIONS[known[0]]: within[0]} if within else {}
        name = f"{known[0]}.{_VERBS.get((method, len(within)), 'passed')}"
    endpoint = Endpoint(name=name, method=method, template=f"{prefix}/*", is_unmetered=True)
    return Match(endpoint=endpoint, path="/" + "/".join(known), ids=ids)


assert ROOT == "/v1"  # as the pattern has it
