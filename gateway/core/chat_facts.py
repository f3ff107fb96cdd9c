"""What a chat completion says of itself, whole or in chunks, and what a list of embeddings does.

Their usage has other names for the counts of a response, and their end other words. Not here: when
a stream has ended (`chat_stream`), or what a response says (`facts`).
"""

from collections.abc import Iterable

import msgspec
from msgspec import Raw, Struct

from gateway.core.chat import searches
from gateway.core.facts import Facts, value_in, word_of
from gateway.core.observation import COMPLETED, INCOMPLETE, Observation, observe
from gateway.core.paths import Node
from gateway.core.skim import Skimmer
from gateway.core.skimmed import Skimmed
from gateway.core.tool_use import NO_TOOLS, ToolUse
from gateway.core.usage import Usage, UsageInvalid, usage_from

CUT_SHORT = {"length": "max_output_tokens", "content_filter": "content_filter"}
_SEARCHED = ToolUse(web_searches=1)  # a model that searches does so once, and says nothing of it


class _Sound(Struct, gc=False):
    id: str | None = None


class _Message(Struct, gc=False):
    audio: _Sound | None = None


class Choice(Struct, gc=False):
    """One of the answers, or a piece of it."""

    index: int = 0
    finish_reason: str | None = None
    message: _Message | None = None
    delta: dict[str, object] | None = None

    @property
    def audio_id(self) -> str | None:
        """The id of what was spoken: a later request may name it in its place."""
        if self.message is not None and self.message.audio is not None:
            return self.message.audio.id
        audio = (self.delta or {}).get("audio")
        return word_of(audio.get("id")) if isinstance(audio, dict) else None

    @property
    def has_output(self) -> bool:
        """Whether its piece says more than who speaks."""
        return any(value for name, value in (self.delta or {}).items() if name != "role")


class Said(Struct, gc=False):
    """A completion, a chunk of one, or a list of embeddings; raw where it may have any shape."""

    id: str | None = None
    object: str | None = None
    model: str | None = None
    service_tier: str | None = None
    choices: list[Choice] | None = None
    usage: Raw = Raw()
    error: Raw = Raw()

    @property
    def has_usage(self) -> bool:
        return bytes(self.usage) not in (b"", b"null")

    @property
    def reason(self) -> str | None:
        """The code of the error that stands in its place, or the error's type."""
        error = value_in(self.error)
        if not isinstance(error, dict):
            return None if error is None else "error"
        return word_of(error.get("code")) or word_of(error.get("type")) or "error"


_decode = msgspec.json.Decoder().decode
_decode_said = msgspec.json.Decoder(Said).decode

_WORDS = ("id", "object", "model", "service_tier")
_SPOKEN = ("choices[].message", "choices[].delta")
_CHOICE = Node(
    "choices[]",
    {
        "finish_reason": Node("choices[].finish_reason"),
        **{
            path.partition(".")[2]: Node(
                path, {"audio": Node(f"{path}.audio", {"id": Node(f"{path}.audio.id")})}
            )
            for path in _SPOKEN
        },
    },
)
TREE = Node(
    "",
    {
        **{name: Node(name) for name in (*_WORDS, "usage", "error")},
        "choices": Node("choices", element=_CHOICE),
    },
)


def said_in(document: bytes) -> Said | None:
    """What a document in memory says; None where it cannot be read.

    What the strict decoder refuses is walked instead: a strange text or shape must not cost the
    usage beside it.
    """
    try:
        return _decode_said(document)
    except (ValueError, RecursionError):
        skimmer = Skimmer(TREE)
        skimmer.feed(document)
        return said_from(skimmer.end())


def said_from(found: Skimmed | None) -> Said | None:
    """The same of a document that was walked."""
    if found is None:
        return None
    choices = [
        Choice(index=place, finish_reason=word_of(value_in(kind)), delta={"content": True})
        for place, (kind, *_) in enumerate(found.items.get("choices", {}))
    ]
    for path in _SPOKEN:
        audio_id = word_of(value_in(found.values.get(f"{path}.audio.id", b"")))
        if choices and audio_id is not None:
            choices[0].message = _Message(audio=_Sound(id=audio_id))
    id_, object_, model, tier = (word_of(value_in(found.values.get(name, b""))) for name in _WORDS)
    return Said(
        id=id_,
        object=object_,
        model=model,
        service_tier=tier,
        choices=choices,
        usage=Raw(found.values.get("usage", b"")),
        error=Raw(found.values.get("error", b"")),
    )


def usage_in(raw: bytes, *, writes: bool = True) -> tuple[Usage | None, bool]:
    """The usage by the names of a response's, and whether it is none that can be.

    What `writes` nothing need not say that it wrote nothing.
    """
    try:
        told = _decode(raw) if raw else None
        if isinstance(told, dict):
            told = {
                "input_tokens": told.get("prompt_tokens"),
                "input_tokens_details": told.get("prompt_tokens_details"),
                "output_tokens": told.get("completion_tokens", None if writes else 0),
                "output_tokens_details": told.get("completion_tokens_details"),
                "total_tokens": told.get("total_tokens"),
            }
        return usage_from(told), False
    except (UsageInvalid, ValueError, RecursionError):
        return None, True


def ended(reasons: Iterable[str]) -> tuple[str, str | None]:
    """The terminal event that a completion's ends stand for, and why it was cut short if so."""
    cut = sorted({CUT_SHORT[reason] for reason in reasons if reason in CUT_SHORT})
    return (INCOMPLETE, cut[-1]) if cut else (COMPLETED, None)


def tools_of(model: str | None) -> ToolUse:
    """What ran beside a model that answered."""
    return _SEARCHED if model is not None and searches(model) else NO_TOOLS


def observe_completion(said: Said | None) -> Observation:
    """A whole chat completion, or what stands in its place."""
    if said is None:
        return Observation(problem="body_unreadable")
    if not said.choices:
        return Observation(reason=said.reason)  # an error: nothing was used that could be read
    terminal, reason = ended([choice.finish_reason or "" for choice in said.choices])
    usage, is_invalid = usage_in(said.usage)
    facts = Facts(
        response_id=said.id,
        model=said.model,
        service_tier=said.service_tier,
        usage=usage,
        is_usage_invalid=is_invalid,
        tools=tools_of(said.model),
        reason=reason,
        has_output=True,
        item_ids=tuple([one for choice in said.choices if (one := choice.audio_id)]),
    )
    return observe(facts, terminal=terminal)


def observe_embeddings(said: Said | None) -> Observation:
    """A whole list of embeddings, or what stands in its place."""
    if said is None:
        return Observation(problem="body_unreadable")
    if not said.has_usage:
        return Observation(reason=said.reason)
    usage, is_invalid = usage_in(said.usage, writes=False)
    facts = Facts(model=said.model, usage=usage, is_usage_invalid=is_invalid)
    return observe(facts, terminal=COMPLETED)
