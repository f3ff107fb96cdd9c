"""Finds and reads the directive with which a request says what is to be played to it.

It stands in the newest turn of `input`, as `[sim: kind=reasoning; output=120]`, or in
`metadata.sim` without the brackets (which wins). A word without a value is a flag. What the words
mean belongs to `plan` (what is said) and `faults` (what goes wrong with the bytes).
"""

import re
from collections.abc import Iterator
from typing import Any

JsonObject = dict[str, Any]
Words = dict[str, str]

SCRIPT_WORDS = """
    kind output reasoning searches reason when code message flat keepalive usage tier snapshot
    huge huge_where replay polls missing takes calls partials arguments
"""
FAULT_WORDS = """
    cut reset stall slow pace split crlf cr bom comment no_terminal no_blank_line done garbage
    gzip no_event_lines delay status retry_after times early_hints close_delimited chunked
    slow_head hang_up should_retry trailers
"""
_KNOWN = frozenset((SCRIPT_WORDS + FAULT_WORDS).split())
_BRACKETED = re.compile(r"\[sim:([^\]]*)\]")
_MODEL_OUTPUT = frozenset({"reasoning", "compaction", "mcp_list_tools", "mcp_approval_request"})


class DirectiveInvalid(ValueError):
    """The directive has a word that nothing plays, or a value that cannot be read."""


def find_directive(body: JsonObject) -> str:
    """Return the directive's text, or "" where the request has none."""
    metadata = body.get("metadata")
    if isinstance(metadata, dict) and isinstance(metadata.get("sim"), str):
        return str(metadata["sim"]).strip()
    found = _BRACKETED.findall(newest_text(body))
    return str(found[-1]).strip() if found else ""


def read_words(text: str) -> Words:
    words: Words = {}
    for part in text.split(";"):
        name, equals, value = part.strip().partition("=")
        if name:
            words[name.strip()] = value.strip() if equals else "1"
    unknown = sorted(words.keys() - _KNOWN)
    if unknown:
        raise DirectiveInvalid(f"the simulator knows no directive {unknown[0]!r}")
    return words


def newest_text(body: JsonObject) -> str:
    """Return all text after the model's last output: an agent's replayed history must not speak."""
    given = body.get("input")
    if not isinstance(given, list):
        return given if isinstance(given, str) else ""
    newest: list[object] = []
    for item in given:
        newest = [] if _is_model_output(item) else [*newest, item]
    return "\n".join(_strings(newest))


def newest_item_type(body: JsonObject) -> str:
    given = body.get("input")
    if not isinstance(given, list) or not given or not isinstance(given[-1], dict):
        return "message"
    return str(given[-1].get("type", "message"))


def whole_number(words: Words, name: str, default: int = 0) -> int:
    text = words.get(name)
    if text is None:
        return default
    if not text.isdecimal():
        raise DirectiveInvalid(f"the simulator wants a whole number for {name!r}, not {text!r}")
    return int(text)


def _is_model_output(item: object) -> bool:
    if not isinstance(item, dict):
        return False
    kind = str(item.get("type"))
    return item.get("role") == "assistant" or kind in _MODEL_OUTPUT or kind.endswith("_call")


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
