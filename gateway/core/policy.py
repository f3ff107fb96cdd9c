"""What one tenant or key may ask, as its administrator wrote it. None: nothing is said here.

Not here: what several of them come to (`inheritance`), or what that does to a request (`admit`).
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

_PLACE = re.compile(r"\$\.([^`]+)")

# Below this the API refuses `max_output_tokens`.
OUTPUT_TOKENS_MIN = 16

Name = Annotated[str, Meta(min_length=1, max_length=256, pattern=r"^[^\s,=]+\Z")]
Names = Annotated[tuple[Name, ...], Meta(min_length=1)]
Count = Annotated[int, Meta(ge=1, le=2**53)]
OutputTokens = Annotated[int, Meta(ge=OUTPUT_TOKENS_MIN, le=2**53)]
Permission = Literal["allow", "deny"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy's fields: allow-lists, caps, permissions and manners, in this order."""

    models: Names | None = None
    service_tiers: Names | None = None
    tools: Names | None = None
    objects: Names | None = None  # ids that may be named though no tenant made them
    max_output_tokens_cap: Count | None = None
    max_tool_calls_cap: Count | None = None
    attempts_max: Count | None = None
    concurrent_max: Count | None = None  # open requests of a tenant, with all below it, or of a key
    requests_per_minute_max: Count | None = None  # of the same
    tokens_per_minute_max: Count | None = None  # of the same
    background: Permission | None = None
    store: Permission | None = None
    websocket: Permission | None = None
    unbounded: Permission | None = None
    unpriced: Permission | None = None
    aliases: dict[Name, Name] | None = None
    max_output_tokens_default: OutputTokens | None = None
    max_tool_calls_default: Count | None = None
    over: Literal["clamp", "deny"] | None = None
    fit: Literal["clamp", "deny"] | None = None
    input_count: Literal["bytes", "upstream"] | None = None
    on_disconnect: Literal["drain", "cancel"] | None = None


ALLOW_LISTS = ("models", "service_tiers", "tools", "objects")
COUNTED = ("concurrent_max", "requests_per_minute_max", "tokens_per_minute_max")  # by each level
CAPS = ("max_output_tokens_cap", "max_tool_calls_cap", "attempts_max", *COUNTED)
PERMISSIONS = ("background", "store", "websocket", "unbounded", "unpriced")
MANNERS = (
    "max_output_tokens_default",
    "max_tool_calls_default",
    "over",
    "fit",
    "input_count",
    "on_disconnect",
)
FIELDS = tuple(field.name for field in fields(Policy))


def field_name(name: str) -> str:
    """The field of this name, as operators write it. ValueError with a suggestion: there is none.

    `max-output-tokens-cap` is `max_output_tokens_cap`, as it is among the options of a verb.
    """
    found = name.replace("-", "_")
    if found in FIELDS:
        return found
    close = difflib.get_close_matches(found, FIELDS, n=1)
    said = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(FIELDS)}"
    raise ValueError(f"a policy has no field {name!r}; {said}")


def policy_from(values: Mapping[str, object]) -> Policy:
    """A policy of checked values. ValueError says which cannot be taken."""
    known = {field_name(name): value for name, value in values.items()}
    try:
        return msgspec.convert(known, Policy)
    except msgspec.ValidationError as invalid:
        said, _, place = str(invalid).partition(" - at ")
        where = _PLACE.search(place)
        named = where[1] if where else "policy"
        raise ValueError(f"{named}: {said[:1].lower()}{said[1:].replace('`', '')}") from None


def policy_from_json(text: str) -> Policy:
    """What `policy_to_json` wrote. ValueError: it is no policy of this version."""
    return policy_from(values_from_json(text))


def values_from_json(text: str) -> dict[str, object]:
    """A policy's fields as they are written, in any version. ValueError: it is no document."""
    try:
        return msgspec.json.decode(text, type=dict[str, object])
    except msgspec.DecodeError as broken:
        raise ValueError(f"it is no JSON object: {broken}") from None


def said_by(policy: Policy) -> dict[str, object]:
    """The fields that a policy speaks of."""
    return {name: value for name, value in asdict(policy).items() if value is not None}


def policy_to_json(policy: Policy) -> str:
    """A policy as it is kept: what it does not speak of is left out."""
    return msgspec.json.encode(said_by(policy)).decode()
