"""Where a request can name what somebody owns: one table of names, read at any depth.

All tenants share one upstream project, so whoever can name an object could read it. A response
belongs to who paid it, an object to who made it, an item to who was answered with it. Names count
wherever they stand, so that a place that the API adds is guarded before we hear of it; what the
API reads as free text or as the client's own data is left out, by name too. Not here: who owns
what (`adapters.ownership`), or how a path is read (`core.endpoints`).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from gateway.core.errors import InvalidRequest, NotFound
from gateway.core.strict import Json, refuse_look_alikes

REFERENCES_MAX = 1_000  # different ones of a request
ID_CHARACTERS_MAX = 256


class Kind(StrEnum):
    """What an id can name. A response's owner is its entry's, an item's its response's."""

    RESPONSE = "response"
    ITEM = "item"
    CONVERSATION = "conversation"
    FILE = "file"
    VECTOR_STORE = "vector store"
    CONTAINER = "container"
    UPLOAD_PART = "upload part"
    # Nobody can make these through us: they are named by who is allowed to by policy.
    PROMPT = "prompt"
    SKILL = "skill"
    TUNNEL = "tunnel"
    VOICE = "voice"


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """An id that a request names."""

    kind: Kind
    id: str
    place: str  # as an error's `param` has it: `tools[0].vector_store_ids[1]`


# What is named by the value itself: an id, or a list of them.
IDS = {
    "previous_response_id": Kind.RESPONSE,
    "comparison_response_id": Kind.RESPONSE,
    "response_id": Kind.RESPONSE,
    "approval_request_id": Kind.ITEM,
    "item_id": Kind.ITEM,
    "previous_item_id": Kind.ITEM,
    "conversation_id": Kind.CONVERSATION,
    "file_id": Kind.FILE,
    "file_ids": Kind.FILE,
    "input_file_id": Kind.FILE,
    "training_file": Kind.FILE,
    "validation_file": Kind.FILE,
    "vector_store_id": Kind.VECTOR_STORE,
    "vector_store_ids": Kind.VECTOR_STORE,
    "container_id": Kind.CONTAINER,
    "part_ids": Kind.UPLOAD_PART,
    "skill_id": Kind.SKILL,
    "tunnel_id": Kind.TUNNEL,
}
# What is named by the value's own `id`, or by a text in its place.
OBJECTS = {"conversation": Kind.CONVERSATION, "container": Kind.CONTAINER}
# The same, where a text is no id: a voice that all have, words to draw.
NAMED_OBJECTS = {"prompt": Kind.PROMPT, "voice": Kind.VOICE, "audio": Kind.ITEM}

# The client's own data, and what the model wrote of its sources: nothing is looked up by it.
FREE = frozenset({
    "acknowledged_safety_checks", "annotations", "arguments", "attributes", "env", "filters",
    "headers", "input_schema", "logprobs", "metadata", "parameters", "pending_safety_checks",
    "results", "schema",
})  # fmt: skip
_FREE_NAMES = frozenset({"variables"})  # its names are the client's own, its values are read

# An item beside its content is the client's own echo. Without it, it is looked up by its id.
_NO_CONTENT = frozenset({"id", "type", "status", "role", "phase", "object", "created_by"})
_LOOKED_UP = {
    "item_reference": None,
    "reasoning": "encrypted_content",
    "compaction": "encrypted_content",
    "image_generation_call": "result",
    "file_search_call": "results",
}

_KNOWN_IDS = IDS.keys() | {"call_id", "tool_call_id"}
_GUARDED = frozenset({*IDS, *OBJECTS, *NAMED_OBJECTS, "id"})
# What most objects are made of: these names need no second look.
_PLAIN = frozenset({
    "action", "arguments", "background", "call_id", "content", "description", "detail", "effort",
    "encrypted_content", "format", "function", "id", "image_url", "include", "input",
    "instructions", "max_output_tokens", "max_tool_calls", "messages", "metadata", "model", "name",
    "output", "parallel_tool_calls", "parameters", "phase", "prompt_cache_key", "reasoning",
    "refusal", "role", "safety_identifier", "schema", "service_tier", "status", "store", "stream",
    "strict", "summary", "temperature", "text", "tool_call_id", "tool_calls", "tool_choice",
    "tools", "top_p", "truncation", "type", "user", "verbosity",
})  # fmt: skip

_KNOWN = _PLAIN | _GUARDED
_is_plain = _PLAIN.issuperset


def references(fields: dict[str, Json]) -> list[Reference]:
    """The ids that a body names, each kind's once. Raises InvalidRequest for what is no id."""
    if _names_nothing(fields):
        return []
    found: dict[tuple[Kind, str], Reference] = {}
    for one in _members(fields, "", skipping=2):
        found.setdefault((one.kind, one.id), one)
        if len(found) > REFERENCES_MAX:
            raise InvalidRequest(f"The request names more than {REFERENCES_MAX} objects by id.")
    return list(found.values())


def refuse_unknown_ids(fields: dict[str, Json]) -> None:
    """For paths that we do not know: what is named there by an id may be anybody's.

    Raises InvalidRequest naming the first such id.
    """
    nodes: list[Json] = [fields]
    for node in nodes:  # which grows on the way
        if isinstance(node, dict):
            for name in node:
                if name.endswith(("_id", "_ids")) and name not in _KNOWN_IDS:
                    raise InvalidRequest(
                        f"The gateway does not know whose {name!a} is: it stands below a path that "
                        "is passed unmetered, so it is not sent.",
                        param=name,
                    )
            nodes += [inner for name, inner in node.items() if name not in FREE]
        elif isinstance(node, list):
            nodes += node


def path_reference(ids: Mapping[str, str]) -> list[Reference]:
    """What a path names: its first id. The others are within that."""
    for name, value in ids.items():
        return [Reference(IDS[name], value, name)] if name in IDS else []
    return []


def not_found(reference: Reference) -> NotFound:
    """The one answer for what is not there and for what is another's."""
    shown = reference.id[:ID_CHARACTERS_MAX]
    is_previous = reference.place == "previous_response_id"
    return NotFound(
        f"{reference.kind.capitalize()} with id {shown!r} not found.",
        code="previous_response_not_found" if is_previous else None,
        param=reference.place,
    )


def unlisted(found: Iterable[Reference], names: tuple[str, ...] | None) -> list[Reference]:
    """Those that the policy does not list by name."""
    return [one for one in found if one.id not in (names or ())]


def _names_nothing(root: Json) -> bool:
    """Whether all is plain: nearly all requests end here, at a fraction of the cost of a walk."""
    nodes = [root]
    for node in nodes:  # which grows on the way
        if isinstance(node, dict):
            if not _is_plain(node) or ("id" in node and _is_looked_up(node)):
                return False
            for name, inner in node.items():
                if inner.__class__ is not str and name not in FREE:
                    nodes.append(inner)
        elif isinstance(node, list):
            nodes += node
    return True


def _within(node: Json, place: str, skipping: int = 0) -> Iterator[Reference]:
    """The references at and below a node; plain parts are skipped in the levels just below."""
    if skipping and _names_nothing(node):
        return
    if isinstance(node, list):
        for index, inner in enumerate(node):
            yield from _within(inner, f"{place}[{index}]", max(skipping - 1, 0))
    if not isinstance(node, dict):
        return
    if "id" in node and _is_looked_up(node):
        yield from _ids(Kind.ITEM, node["id"], f"{place}.id")
    yield from _members(node, place)


def _members(node: dict[str, Json], place: str, skipping: int = 0) -> Iterator[Reference]:
    if strange := node.keys() - _KNOWN:
        refuse_look_alikes(sorted(strange), _GUARDED, within=f"{place}." if place else "")
    for name, inner in node.items():
        if name in FREE or (inner.__class__ is str and name not in _GUARDED):
            continue
        where = f"{place}.{name}" if place else name
        if name in _FREE_NAMES and isinstance(inner, dict):
            yield from _within(list(inner.values()), where)
        elif (kind := IDS.get(name)) is not None:
            yield from _ids(kind, inner, where)
        elif (kind := OBJECTS.get(name) or NAMED_OBJECTS.get(name)) is not None:
            yield from _object(kind, inner, where, is_text_id=name in OBJECTS)
        else:
            yield from _within(inner, where, skipping)


def _object(kind: Kind, value: Json, place: str, *, is_text_id: bool) -> Iterator[Reference]:
    if isinstance(value, dict):
        yield from _ids(kind, value.get("id"), f"{place}.id")
        yield from _members(value, place)
    elif is_text_id:
        yield from _ids(kind, value, place)
    else:
        yield from _within(value, place)


def _ids(kind: Kind, value: Json, place: str) -> Iterator[Reference]:
    if isinstance(value, str):
        yield Reference(kind, value, place)
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _ids(kind, one, f"{place}[{index}]")
    elif value is not None:
        raise InvalidRequest(
            f"The field {place!a} must be an id: a text.", code="invalid_type", param=place
        )


def _is_looked_up(item: dict[str, Json]) -> bool:
    """Whether what an id names is not there beside it."""
    kind = item.get("type")
    if isinstance(kind, str) and kind in _LOOKED_UP:
        content = _LOOKED_UP[kind]
        return content is None or not item.get(content)
    for name, value in item.items():  # noqa: SIM110 - at half the cost
        if value and name not in _NO_CONTENT:
            return False
    return True
