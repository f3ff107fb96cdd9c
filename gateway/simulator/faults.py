"""What goes wrong, or merely otherwise, with the bytes of an answer: the directive's other half.

Pure. Faults of the framing are applied by `framing`, faults of the connection by `wire`.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.simulator.directive import DirectiveInvalid, Words, whole_number

WAIT_MAX = 600_000.0  # milliseconds mostly; in seconds it is more than anyone waits
JOINED_BYTES_MAX = 1024 * 1024
HANG_UPS = frozenset({"", "unanswered", "head"})
_CUT_SIZES = (1, 2, 3, 7, 29, 211, 1500)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A place in the body: so many bytes after its start, or after the terminal event's start."""

    offset: int
    is_from_terminal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    cut: Position | None = None
    reset: Position | None = None
    stall: Position | None = None
    stall_seconds: float = 0.0
    event_delay_seconds: float = 0.0
    head_delay_seconds: float = 0.0
    head_line_delay_seconds: float = 0.0
    hang_up: str = ""  # before the answer, or amid its head
    should_retry: str = ""  # as the header says it
    has_trailers: bool = False
    split: str = ""
    line_end: bytes = b"\n"
    has_bom: bool = False
    has_comments: bool = False
    has_garbage: bool = False
    has_done: bool = False
    has_early_hints: bool = False
    is_without_terminal: bool = False
    is_without_blank_line: bool = False
    is_without_event_lines: bool = False
    is_gzipped: bool = False
    is_close_delimited: bool = False
    is_chunked: bool = False  # a whole body too
    status: int = 200
    refusals_max: int = 0  # how often `status` is answered; 0 is always
    retry_after_seconds: int = 1

    def __post_init__(self) -> None:
        if self.hang_up not in HANG_UPS:
            raise DirectiveInvalid("hang_up is unanswered or head")


NO_FAULTS = Faults()


def make_faults(words: Words) -> Faults:
    stall, _, seconds = words.get("stall", "").partition(",")
    return Faults(
        cut=_position(words.get("cut")),
        reset=_position(words.get("reset")),
        stall=_position(stall or None),
        stall_seconds=_duration(seconds or "1"),
        event_delay_seconds=_event_delay(words),
        head_delay_seconds=_duration(words.get("delay", "0")) / 1000,
        head_line_delay_seconds=_duration(words.get("slow_head", "0")) / 1000,
        hang_up=words.get("hang_up", ""),
        should_retry=words.get("should_retry", ""),
        has_trailers="trailers" in words,
        split=_split(words.get("split", "")),
        line_end=b"\r\n" if "crlf" in words else b"\r" if "cr" in words else b"\n",
        has_bom="bom" in words,
        has_comments="comment" in words,
        has_garbage="garbage" in words,
        has_done="done" in words,
        has_early_hints="early_hints" in words,
        is_without_terminal="no_terminal" in words,
        is_without_blank_line="no_blank_line" in words,
        is_without_event_lines="no_event_lines" in words,
        is_gzipped="gzip" in words,
        is_close_delimited="close_delimited" in words,
        is_chunked="chunked" in words,
        status=whole_number(words, "status", 200),
        refusals_max=whole_number(words, "times"),
        retry_after_seconds=whole_number(words, "retry_after", 1),
    )


class Cutter:
    """Cuts the body into the pieces that are written one by one, whatever the events' borders."""

    def __init__(self, split: str) -> None:
        kind, _, value = split.partition(":")
        self._kind = kind
        self._size = int(kind) if kind.isdecimal() else JOINED_BYTES_MAX
        self._random = random.Random(value)
        self._rest = bytearray()
        self._wanted = self._next_size()

    def feed(self, data: bytes) -> Iterator[bytes]:
        if not self._kind:
            yield data
            return
        self._rest += data
        while len(self._rest) >= self._wanted:
            yield bytes(self._rest[: self._wanted])
            del self._rest[: self._wanted]
            self._wanted = self._next_size()

    def flush(self) -> Iterator[bytes]:
        if self._rest:
            yield bytes(self._rest)
            self._rest.clear()

    def _next_size(self) -> int:
        return self._random.choice(_CUT_SIZES) if self._kind == "random" else self._size


def _position(text: str | None) -> Position | None:
    if text is None:
        return None
    is_from_terminal = text.startswith("terminal")
    offset = text.removeprefix("terminal").removeprefix("+") or "0"
    if not offset.isdecimal():
        raise DirectiveInvalid(f"the simulator cannot find the position {text!r}")
    return Position(offset=int(offset), is_from_terminal=is_from_terminal)


def _duration(text: str) -> float:
    try:
        duration = float(text)
    except ValueError:
        raise DirectiveInvalid(f"the simulator cannot wait for {text!r}") from None
    if not 0 <= duration <= WAIT_MAX:
        raise DirectiveInvalid(f"the simulator does not wait for {text!r}")
    return duration


def _event_delay(words: Words) -> float:
    """`slow` is milliseconds for each event, `pace` events for each second."""
    pace = whole_number(words, "pace")
    return 1 / pace if pace else _duration(words.get("slow", "0")) / 1000


def _split(text: str) -> str:
    kind = text.partition(":")[0]
    if kind in {"", "random", "join"} or (kind.isdecimal() and int(kind) > 0):
        return text
    raise DirectiveInvalid(f"the simulator cannot split by {text!r}")
