"""Ten golden streams, with the place of their terminal event: found without the gateway's decoder.

Not here: what is done to them.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from gateway.core.exchange import Outcome
from gateway.core.observation import TERMINAL_EVENTS

TRANSCRIPTS = Path(__file__).parent.parent / "transcripts"
NAMES = (
    "completed_decoys",
    "completed_function_call",
    "completed_parsed",
    "completed_unicode",
    "failed_after_output",
    "failed_before_output",
    "framed_bom_and_comments",
    "framed_cr",
    "framed_crlf",
    "incomplete_max_output_tokens",
)
LINE = re.compile(rb"[^\r\n]*(\r\n|\r|\n)")
OUTCOMES = {
    "response.completed": Outcome.COMPLETED,
    "response.incomplete": Outcome.INCOMPLETE,
    "response.failed": Outcome.FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A transcript, and where its terminal event lies in it."""

    stream: bytes
    outcome: Outcome
    told_at: int  # the event's data is whole
    complete_at: int  # and so is its blank line, as soon as that can be seen


def read(name: str) -> Played:
    stream = (TRANSCRIPTS / f"{name}.sse").read_bytes()
    for line in LINE.finditer(stream):
        if not line[0].startswith(b"data: {"):
            continue
        kind = json.loads(line[0].removeprefix(b"data: "))["type"]
        if kind in TERMINAL_EVENTS:
            return Played(
                stream=stream,
                outcome=OUTCOMES[kind],
                told_at=line.start(1),
                complete_at=line.end() + 1,
            )
    raise AssertionError(f"{name} has no terminal event")
