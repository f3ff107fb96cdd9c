"""Counts what a response used, as the API reports it; prices nothing.

Deterministic: about four bytes a token, prompt prefixes that were seen before count as cached.
"""

import json
import re
from collections import OrderedDict

from gateway.simulator.directive import DirectiveInvalid, JsonObject

BYTES_PER_TOKEN = 4
CACHE_TOKENS_MIN = 1024  # shorter prompts are never cached
CACHE_BLOCK_TOKENS = 128
CACHE_ENTRIES_MAX = 4096
SEARCH_TOKENS = 800  # what one search, or another tool's call, puts into the context
IMAGE_INPUT_TOKENS = 48  # of one picture's prompt
IMAGE_OUTPUT_TOKENS = 1056  # of one picture
CACHE_WRITES_SINCE = (5, 6)  # older models do not report what they write
_MODEL = re.compile(r"gpt-(\d+)(?:\.(\d+))?")

WRONG_SHAPES: dict[str, object] = {
    "strings": {"input_tokens": "12", "output_tokens": "7", "total_tokens": "19"},
    "list": [12, 7, 19],
    "number": 19,
    "nested": {"input_tokens": {"text": 12}, "output_tokens": {"text": 7}, "total_tokens": None},
    "negative": {"input_tokens": 12, "output_tokens": -7, "total_tokens": 5},
    "fraction": {"input_tokens": 12.5, "output_tokens": 7.25, "total_tokens": 19.75},
    "excess": {
        "input_tokens": 12,
        "input_tokens_details": {"cached_tokens": 99},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 19,
    },
}


class PrefixCache:
    """Remembers the longest prompt seen with each cache key, for a bounded number of keys."""

    def __init__(self) -> None:
        self._tokens: OrderedDict[str, int] = OrderedDict()

    def read(self, body: JsonObject, input_tokens: int) -> int:
        """Return how many of the tokens were cached, and remember this prompt."""
        mark = body.get("prompt_cache_key") or body.get("instructions")
        if not isinstance(mark, str) or input_tokens < CACHE_TOKENS_MIN:
            return 0
        key = f"{body.get('model')}\n{mark}"
        known = self._tokens.pop(key, 0)
        self._tokens[key] = max(known, input_tokens)
        while len(self._tokens) > CACHE_ENTRIES_MAX:
            self._tokens.popitem(last=False)
        return min(known, input_tokens) // CACHE_BLOCK_TOKENS * CACHE_BLOCK_TOKENS


def input_tokens_of(body: JsonObject) -> int:
    said = [body[name] for name in ("instructions", "input", "tools") if body.get(name)]
    size = sum(len(json.dumps(part, ensure_ascii=False).encode()) for part in said)
    return max(1, -(-size // BYTES_PER_TOKEN))


def cache_writes(model: str, input_tokens: int, cached_tokens: int) -> int:
    found = _MODEL.match(model)
    if found is None or input_tokens < CACHE_TOKENS_MIN:
        return 0
    if (int(found[1]), int(found[2] or 0)) < CACHE_WRITES_SINCE:
        return 0
    return input_tokens // CACHE_BLOCK_TOKENS * CACHE_BLOCK_TOKENS - cached_tokens


def usage_object(
    *,
    input_tokens: int,
    output_tokens: int,
    cached_tokens: int = 0,
    cache_write_tokens: int = 0,
    reasoning_tokens: int = 0,
) -> JsonObject:
    return {
        "input_tokens": input_tokens,
        "input_tokens_details": {
            "cache_write_tokens": cache_write_tokens,
            "cached_tokens": cached_tokens,
        },
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": reasoning_tokens},
        "total_tokens": input_tokens + output_tokens,
    }


def overridden(word: str, counted: JsonObject) -> object:
    """Return the usage that the directive asks for: null, zero, wrong[:SHAPE] or `in:1,out:2,…`."""
    if not word:
        return counted
    if word == "null":
        return None
    if word == "zero":
        return usage_object(input_tokens=0, output_tokens=0)
    if word.startswith("wrong"):
        return _wrong_shape(word.partition(":")[2] or "strings")
    return _from_counts(word, counted)


def tool_usage_object(searches: int, images: int = 0) -> JsonObject:
    asked, drawn = images * IMAGE_INPUT_TOKENS, images * IMAGE_OUTPUT_TOKENS
    return {
        "image_gen": {
            "input_tokens": asked,
            "input_tokens_details": {"image_tokens": 0, "text_tokens": asked},
            "output_tokens": drawn,
            "output_tokens_details": {"image_tokens": drawn, "text_tokens": 0},
            "total_tokens": asked + drawn,
        },
        "web_search": {"num_requests": searches},
    }


def _wrong_shape(name: str) -> object:
    if name not in WRONG_SHAPES:
        raise DirectiveInvalid(f"the simulator knows no wrong usage {name!r}")
    return WRONG_SHAPES[name]


def _from_counts(word: str, counted: JsonObject) -> JsonObject:
    counts = {"in": counted["input_tokens"], "out": counted["output_tokens"]}
    for part in word.split(","):
        name, _, value = part.partition(":")
        if name.strip() not in {"in", "cached", "write", "out", "reasoning"}:
            raise DirectiveInvalid(f"the simulator cannot read usage={word}")
        try:
            counts[name.strip()] = int(value)
        except ValueError:
            raise DirectiveInvalid(f"the simulator cannot read usage={word}") from None
    return usage_object(
        input_tokens=counts["in"],
        output_tokens=counts["out"],
        cached_tokens=counts.get("cached", 0),
        cache_write_tokens=counts.get("write", 0),
        reasoning_tokens=counts.get("reasoning", 0),
    )
