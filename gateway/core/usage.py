"""Token counts as the upstream reported them, with their invariants.

`cached_tokens` and `cache_write_tokens` are disjoint parts of `input_tokens`; `reasoning_tokens` is
a part of `output_tokens`; tokens of audio and images are parts of both. Counts that break this are
a problem to be told, never to be mended. Not here: what tools did (`tool_use`).
"""

from collections.abc import Mapping
from dataclasses import astuple, dataclass

from msgspec import Struct

COUNT_MAX = 2**53 - 1  # beyond this other JSON readers no longer see the same whole number


class UsageInvalid(ValueError):
    """The upstream's usage is not what its own definition allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Modalities:
    """The parts of a usage that are no text, where the upstream tells them apart. All counts ≥ 0.

    `audio`, `image`: of the input, with what was cached of them; `…_output`: of the output.
    """

    audio: int = 0
    audio_cached: int = 0
    audio_output: int = 0
    image: int = 0
    image_cached: int = 0
    image_output: int = 0


TEXT_ONLY = Modalities()
_NOT_TEXT = frozenset({"audio_tokens", "image_tokens"})


class Usage(Struct, frozen=True, kw_only=True):
    """Tokens of one response. All counts ≥ 0; raises UsageInvalid when parts exceed the whole."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_12h_tokens: int = 0  # the part of `cache_write_tokens` that is kept for 12 hours
    reasoning_tokens: int = 0
    modalities: Modalities = TEXT_ONLY

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
        if self.modalities is not TEXT_ONLY:
            self._check_modalities(self.modalities)

    def _check_modalities(self, part: Modalities) -> None:
        if min(astuple(part)) < 0:
            raise UsageInvalid("a count is negative")
        if part.audio_cached > part.audio or part.image_cached > part.image:
            raise UsageInvalid("cached tokens of audio or images exceed all of them")
        if part.audio_cached + part.image_cached > self.cached_tokens:
            raise UsageInvalid("cached tokens of audio and images exceed cached tokens")
        if part.audio + part.image > self.input_tokens:
            raise UsageInvalid("tokens of audio and images exceed input tokens")
        if part.audio_output + part.image_output > self.output_tokens - self.reasoning_tokens:
            raise UsageInvalid("tokens of audio and images exceed output tokens")


def usage_from(reported: object) -> Usage | None:
    """The upstream's `usage` as decoded from JSON; None when it is null.

    Unknown fields are ignored, missing parts are zero. Raises UsageInvalid where counts are no
    counts, or contradict each other.
    """
    if reported is None:
        return None
    whole = part_of(reported)
    given = part_of(whole.get("input_tokens_details"))
    made = part_of(whole.get("output_tokens_details"))
    kept = part_of(given.get("cache_write_tokens_details"))
    if whole.get("input_tokens") is None or whole.get("output_tokens") is None:
        raise UsageInvalid("input or output tokens are missing")
    usage = Usage(
        input_tokens=count_of(whole.get("input_tokens")),
        output_tokens=count_of(whole.get("output_tokens")),
        cached_tokens=count_of(given.get("cached_tokens")),
        cache_write_tokens=count_of(given.get("cache_write_tokens")),
        cache_write_12h_tokens=count_of(kept.get("ttl_12h_tokens")),
        reasoning_tokens=count_of(made.get("reasoning_tokens")),
        modalities=modalities_from(given, made, part_of(given.get("cached_tokens_details"))),
    )
    _refuse_sums(usage, total=whole.get("total_tokens"), half_hour=kept.get("ttl_30m_tokens"))
    return usage


def _refuse_sums(usage: Usage, *, total: object, half_hour: object) -> None:
    if total is not None and count_of(total) != usage.input_tokens + usage.output_tokens:
        raise UsageInvalid("total tokens are not input and output tokens together")
    written = usage.cache_write_tokens - usage.cache_write_12h_tokens
    if half_hour is not None and count_of(half_hour) != written:
        raise UsageInvalid("cache-write tokens are not their parts together")


def modalities_from(
    given: Mapping[str, object], made: Mapping[str, object], kept: Mapping[str, object]
) -> Modalities:
    """What the details of input, output and cached tokens say of audio and images.

    Raises UsageInvalid where counts are no counts. Cached tokens not told apart are text.
    """
    if _NOT_TEXT.isdisjoint(given) and _NOT_TEXT.isdisjoint(made) and _NOT_TEXT.isdisjoint(kept):
        return TEXT_ONLY
    found = Modalities(
        audio=count_of(given.get("audio_tokens")),
        audio_cached=count_of(kept.get("audio_tokens")),
        audio_output=count_of(made.get("audio_tokens")),
        image=count_of(given.get("image_tokens")),
        image_cached=count_of(kept.get("image_tokens")),
        image_output=count_of(made.get("image_tokens")),
    )
    return TEXT_ONLY if found == TEXT_ONLY else found


def part_of(value: object) -> Mapping[str, object]:
    """An object within the usage; empty when it is absent. Raises UsageInvalid where it is none."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UsageInvalid("a part of the usage is no object")
    return value


def count_of(value: object) -> int:
    """A count; zero when it is absent. Raises UsageInvalid where it is none."""
    if value is None:
        return 0
    if type(value) is not int or not 0 <= value <= COUNT_MAX:  # a bool is an int to isinstance
        raise UsageInvalid("a count is no whole number of zero or more")
    return value
