"""Token and tool counts as the upstream reported them, with their invariants.

`cached_tokens` and `cache_write_tokens` are disjoint parts of `input_tokens`; `reasoning_tokens` is
a part of `output_tokens`. Counts that break this are a problem to be told, never to be mended.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

COUNT_MAX = 2**53 - 1  # beyond this other JSON readers no longer see the same whole number


class UsageInvalid(ValueError):
    """The upstream's usage is not what its own definition allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one response. All counts ≥ 0; raises UsageInvalid when parts exceed the whole."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_12h_tokens: int = 0  # the part of `cache_write_tokens` that is kept for 12 hours
    reasoning_tokens: int = 0

    def __post_init__(self) -> None:
        if (
            min(
                self.input_tokens,
                self.output_tokens,
                self.cached_tokens,
                self.cache_write_tokens,
                self.cache_write_12h_tokens,
                self.reasoning_tokens,
            )
            < 0
        ):
            raise UsageInvalid("a count is negative")
        if self.cached_tokens + self.cache_write_tokens > self.input_tokens:
            raise UsageInvalid("cached and cache-write tokens exceed input tokens")
        if self.cache_write_12h_tokens > self.cache_write_tokens:
            raise UsageInvalid("12-hour cache writes exceed cache-write tokens")
        if self.reasoning_tokens > self.output_tokens:
            raise UsageInvalid("reasoning tokens exceed output tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """Hosted-tool work of one response.

    `web_searches` is the number of billable searches: `tool_usage.web_search.num_requests`, or the
    searches among the output items where that is absent. `items` counts the response's output items
    by type. `has_image_generation` says that `tool_usage.image_gen` counts tokens.
    """

    web_searches: int = 0
    items: dict[str, int] = field(default_factory=dict)
    has_image_generation: bool = False


NO_TOOLS = ToolUse()


def usage_from(reported: object) -> Usage | None:
    """The upstream's `usage` as decoded from JSON; None when it is null.

    Unknown fields are ignored, missing parts are zero. Raises UsageInvalid where counts are no
    counts, or contradict each other.
    """
    if reported is None:
        return None
    whole = _part(reported)
    given = _part(whole.get("input_tokens_details"))
    made = _part(whole.get("output_tokens_details"))
    kept = _part(given.get("cache_write_tokens_details"))
    if whole.get("input_tokens") is None or whole.get("output_tokens") is None:
        raise UsageInvalid("input or output tokens are missing")
    usage = Usage(
        input_tokens=_count(whole.get("input_tokens")),
        output_tokens=_count(whole.get("output_tokens")),
        cached_tokens=_count(given.get("cached_tokens")),
        cache_write_tokens=_count(given.get("cache_write_tokens")),
        cache_write_12h_tokens=_count(kept.get("ttl_12h_tokens")),
        reasoning_tokens=_count(made.get("reasoning_tokens")),
    )
    total_tokens = whole.get("total_tokens")
    if (
        total_tokens is not None
        and _count(total_tokens) != usage.input_tokens + usage.output_tokens
    ):
        raise UsageInvalid("total tokens are not input and output tokens together")
    return usage


def tool_use_from(tool_usage: object, items: Mapping[tuple[str, str], int]) -> ToolUse:
    """Hosted-tool work, from `tool_usage` as decoded and the output items.

    `items` counts them by their type and the type of their action ("" where there is none).
    """
    by_type: dict[str, int] = {}
    for (kind, _), count in items.items():
        if kind:
            by_type[kind] = by_type.get(kind, 0) + count
    return ToolUse(
        web_searches=_billed_searches(tool_usage, items),
        items=by_type,
        has_image_generation=_has_image_tokens(tool_usage),
    )


def _billed_searches(tool_usage: object, items: Mapping[tuple[str, str], int]) -> int:
    try:
        billed = _part(_part(tool_usage).get("web_search")).get("num_requests")
        if billed is not None:
            return _count(billed)
    except UsageInvalid:
        pass  # what cannot be read is as good as absent: the items still tell
    return items.get(("web_search_call", "search"), 0) + items.get(("web_search_call", ""), 0)


def _has_image_tokens(tool_usage: object) -> bool:
    try:
        image = _part(_part(tool_usage).get("image_gen"))
        names = ("input_tokens", "output_tokens", "total_tokens")
        return any(_count(image.get(name)) for name in names)
    except UsageInvalid:
        return True  # something is there: an unknown cost must not pass for none


def _part(value: object) -> Mapping[str, object]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UsageInvalid("a part of the usage is no object")
    return value


def _count(value: object) -> int:
    if value is None:
        return 0
    if type(value) is not int or not 0 <= value <= COUNT_MAX:  # a bool is an int to isinstance
        raise UsageInvalid("a count is no whole number of zero or more")
    return value
