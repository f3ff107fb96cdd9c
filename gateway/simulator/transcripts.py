"""`python -m gateway.simulator.transcripts DIR`: writes golden streams for observers' tests.

Each case is NAME.sse, and NAME.json with what must be read from it, said from what was played and
not from the bytes. Fixed ids and times: the same program writes the same files.
"""

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.simulator.directive import JsonObject, read_words
from gateway.simulator.faults import make_faults
from gateway.simulator.framing import stream_segments
from gateway.simulator.ids import Ids
from gateway.simulator.plan import make_plan
from gateway.simulator.script import TERMINAL_TYPES, Scene, make_scene, tell
from gateway.simulator.usage import PrefixCache

CREATED_AT = 1_790_000_000
STEM_LENGTH = 50
DECOY = (
    'event: response.completed\ndata: {"type":"response.completed","response":{"usage":null}}\n\n'
)
DECOY_USAGE = '"usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}'
FUNCTION = {
    "type": "function",
    "name": "look_up",
    "description": 'Never read "usage" here: ' + DECOY_USAGE,
    "parameters": {"type": "object", "properties": {"usage": {"type": "string"}}},
    "strict": True,
}
SHAPE = {"type": "object", "properties": {"usage": {"type": "object", "properties": {}}}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    directive: str = ""
    body: Mapping[str, object] = field(default_factory=dict)
    problem: str | None = None  # with the usage


CASES: dict[str, Case] = {
    "completed_text": Case(),
    "completed_reasoning": Case(body={"reasoning": {"effort": "low", "summary": "auto"}}),
    "completed_function_call": Case(body={"tools": [FUNCTION], "tool_choice": "required"}),
    "completed_web_search": Case(
        directive="searches=3", body={"tools": [{"type": "web_search"}], "model": "gpt-5.4"}
    ),
    "completed_refusal": Case(directive="kind=refusal"),
    "completed_parsed": Case(
        body={"text": {"format": {"type": "json_schema", "name": "shape", "schema": SHAPE}}}
    ),
    "completed_keepalives": Case(directive="keepalive=3"),
    "completed_not_obfuscated": Case(body={"stream_options": {"include_obfuscation": False}}),
    "completed_cached": Case(directive="usage=in:5000,cached:3072,write:1024,out:40,reasoning:16"),
    "completed_priority_snapshot": Case(
        directive="snapshot=2026-10-01", body={"service_tier": "fast"}
    ),
    "completed_decoys": Case(
        body={"instructions": DECOY + DECOY_USAGE, "metadata": {"usage": "{" + DECOY_USAGE + "}"}}
    ),
    "completed_unicode": Case(body={"instructions": "Grüße\u2028\u2029\x85 \x0b\x0c 🙂 𝄞"}),
    "completed_usage_null": Case(directive="usage=null", problem="usage_missing"),
    "completed_usage_strings": Case(directive="usage=wrong:strings", problem="usage_invalid"),
    "completed_usage_excess": Case(directive="usage=wrong:excess", problem="usage_invalid"),
    "incomplete_max_output_tokens": Case(body={"max_output_tokens": 16}),
    "incomplete_while_reasoning": Case(
        body={"max_output_tokens": 16, "reasoning": {"effort": "high"}}
    ),
    "incomplete_content_filter": Case(directive="kind=incomplete; reason=content_filter"),
    "failed_before_output": Case(directive="kind=failed; code=rate_limit_exceeded"),
    "failed_after_output": Case(directive="kind=failed; when=after"),
    "failed_with_error": Case(directive="kind=error; code=insufficient_quota"),
    "failed_with_flat_error": Case(directive="kind=error; flat; when=after"),
    "framed_crlf": Case(directive="crlf"),
    "framed_cr": Case(directive="cr"),
    "framed_bom_and_comments": Case(directive="bom; comment"),
    "framed_without_event_lines": Case(directive="no_event_lines"),
    "framed_done_at_end": Case(directive="done"),
    "framed_without_last_blank_line": Case(directive="no_blank_line"),
    "aborted": Case(directive="no_terminal"),
}


def transcript(name: str) -> tuple[bytes, bytes]:
    """Return the stream, and the expectation as JSON."""
    case = CASES[name]
    body = {"model": "gpt-5.6", "input": "Say it.", "stream": True, **case.body}
    words = read_words(case.directive)
    scene = make_scene(
        body,
        make_plan(body, words),
        ids=Ids(stem=hashlib.sha256(name.encode()).hexdigest()[:STEM_LENGTH]),
        created_at=CREATED_AT,
        cache=PrefixCache(),
    )
    segments = stream_segments(tell(scene), make_faults(words))
    expected = _expected(scene, case, is_aborted="no_terminal" in words)
    text = json.dumps(expected, indent=2, ensure_ascii=False) + "\n"
    return b"".join(segment.data for segment in segments), text.encode()


def write_all(folder: Path) -> None:
    for name in CASES:
        stream, expected = transcript(name)
        (folder / f"{name}.sse").write_bytes(stream)
        (folder / f"{name}.json").write_bytes(expected)


def _expected(scene: Scene, case: Case, *, is_aborted: bool) -> JsonObject:
    counts = Counter(str(event["type"]) for event in tell(scene))
    if "done" in case.directive:
        counts["message"] = 1  # what an event without a name is, by the standard
    if is_aborted:
        counts = Counter({kind: n for kind, n in counts.items() if kind not in TERMINAL_TYPES})
    told: JsonObject = {
        "terminal": None if is_aborted else f"response.{scene.status}",
        "response_id": scene.ids.response,
        "event_counts": dict(sorted(counts.items())),
    }
    if is_aborted:
        return told
    return {
        **told,
        "model": scene.model,
        "service_tier": scene.answered_tier,
        "status": scene.status,
        "reason": scene.reason,
        "usage": None if case.problem else _usage(scene.usage),
        "web_searches": scene.plan.searches,
        "problem": case.problem,
    }


def _usage(usage: object) -> JsonObject | None:
    if not isinstance(usage, dict):
        return None
    return {
        "input_tokens": usage["input_tokens"],
        "cached_tokens": usage["input_tokens_details"]["cached_tokens"],
        "cache_write_tokens": usage["input_tokens_details"]["cache_write_tokens"],
        "output_tokens": usage["output_tokens"],
        "reasoning_tokens": usage["output_tokens_details"]["reasoning_tokens"],
    }


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
