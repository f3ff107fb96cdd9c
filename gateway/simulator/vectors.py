"""Embeddings and moderations: what is told of a text without a word being written. Pure."""

import base64
import hashlib
from array import array

from gateway.simulator.directive import JsonObject
from gateway.simulator.usage import BYTES_PER_TOKEN

DIMENSIONS = 1536
CATEGORIES = ("harassment", "hate", "illicit", "self-harm", "sexual", "violence")
_FLAGGED = "flag me"
_HALF = 128


def embeddings(body: JsonObject) -> JsonObject:
    """A vector for each input: the same for the same, of length about one."""
    inputs = _inputs(body["input"])
    used = sum(_tokens(one) for one in inputs)
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _vector(one, body)}
            for index, one in enumerate(inputs)
        ],
        "model": body["model"],
        "usage": {"prompt_tokens": used, "total_tokens": used},
    }


def moderation(body: JsonObject, stem: str) -> JsonObject:
    """What is thought of each input: flagged where it asks for it."""
    given = body["input"]
    inputs = given if isinstance(given, list) else [given]
    return {
        "id": f"modr-{stem}",
        "model": body.get("model") or "omni-moderation-latest",
        "results": [_verdict(_FLAGGED in str(one)) for one in inputs],
    }


def _inputs(given: object) -> list[object]:
    """One input, or several: texts, or tokens by number."""
    is_one = not isinstance(given, list) or all(isinstance(one, int) for one in given)
    return [given] if is_one else list(given)  # type: ignore[call-overload]


def _tokens(one: object) -> int:
    if isinstance(one, list):
        return len(one)
    return max(1, -(-len(str(one).encode()) // BYTES_PER_TOKEN))


def _vector(one: object, body: JsonObject) -> object:
    size = body.get("dimensions") or DIMENSIONS
    noise = hashlib.sha256(repr(one).encode()).digest()
    scale = _HALF * size**0.5
    values = array("f", ((noise[at % len(noise)] - _HALF) / scale for at in range(size)))
    if body.get("encoding_format") == "base64":
        return base64.b64encode(values.tobytes()).decode()
    return list(values)


def _verdict(is_flagged: bool) -> JsonObject:  # noqa: FBT001 - the only word of a verdict
    return {
        "flagged": is_flagged,
        "categories": dict.fromkeys(CATEGORIES, is_flagged),
        "category_scores": dict.fromkeys(CATEGORIES, 0.9 if is_flagged else 0.01),
        "category_applied_input_types": {name: ["text"] for name in CATEGORIES},
    }
