"""Token and tool counts as the upstream reported them, with their invariants.

`cached_tokens` and `cache_write_tokens` are disjoint parts of `input_tokens`; `reasoning_tokens` is
a part of `output_tokens`. Counts that break this are a problem to be told, never to be mended.
"""

from dataclasses import dataclass, field

COUNT_MAX = 2**53 - 1  # beyond this other JSON readers no longer see the same whole number


class UsageInvalid(ValueError):
    """The upstream's usage is not what its own definition allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one response. All counts ≥ 0; raises UsageInvalid when the parts exceed the whole."""

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
