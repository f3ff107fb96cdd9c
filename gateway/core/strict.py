"""JSON that every parser reads the same way, or none: what is ambiguous is refused, with its place.

Two parsers that disagree about a body are a way round any rule: one is checked, the other obeyed.
So: UTF-8 without a mark, no key twice at any depth, no NaN, no number beyond 64 bits, no lone
surrogate, bounded depth, and no key that is nearly one of ours. Not here: what any field means.
"""

import json
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain
from urllib.parse import parse_qsl

import msgspec

from gateway.core.errors import InvalidRequest

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

DEPTH_MAX = 64
# What a body of the largest size could otherwise hold takes minutes to read, and all wait for it.
CONTAINERS_MAX = 50_000
VALUES_MAX = 1_000_000
_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1
_WHITESPACE = b" \n\r\t"
_ALL_DIGITS_ZERO = bytes.maketrans(b"123456789", b"000000000")
_LONG_DIGITS = b"0" * len(str(_INT_MAX))
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_Pairs = list[tuple[str, Json]]


def strict_object(body: bytes) -> dict[str, Json]:
    """The JSON object that a body is. Raises InvalidRequest saying what is wrong with it, where."""
    _check_count(body)
    try:
        value = _decode(body)
    except RecursionError:
        raise _too_deep() from None
    except (msgspec.DecodeError, UnicodeDecodeError) as broken:
        raise _unreadable(body, broken) from broken
    if not isinstance(value, dict):
        raise InvalidRequest("The request body must be a JSON object.", code="invalid_json")
    if body.count(b"[") + body.count(b"{") > DEPTH_MAX and _is_too_deep(value):
        raise _too_deep()
    if not _is_canonical(body, value):
        _read_carefully(body)
    return value


def _check_count(body: bytes) -> None:
    if _is_countable(body):
        return
    bare = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    is_few = bare.count(b'"') <= 2 * VALUES_MAX
    if not is_few or not _is_countable(b"".join(bare.split(b'"')[::2])):  # outside strings
        raise InvalidRequest(
            f"The request body holds more than {CONTAINERS_MAX} objects and lists, "
            f"or more than {VALUES_MAX} values.",
            code="invalid_json",
        )


def _is_countable(text: bytes) -> bool:
    containers = text.count(b"[") + text.count(b"{")
    return containers <= CONTAINERS_MAX and text.count(b",") < VALUES_MAX


def refuse_look_alikes(names: Iterable[str], known: frozenset[str], *, within: str = "") -> None:
    """Refuse a name that is not of `known` but that a laxer reader could take for one of them."""
    folded = _folded(known)
    for name in names:
        if name not in known and (meant := folded.get(_fold(name))) is not None:
            raise InvalidRequest(
                f"The field {within + name!a} is not known; did you mean {within + meant!r}?",
                code="unknown_field",
                param=within + meant,
            )


def refuse_query(query: bytes, known: frozenset[str]) -> None:
    """Refuse a query that names a field of the body: what reads it there is not asked here."""
    text = query.decode("latin-1").replace(";", "&")
    names = [name for name, _ in parse_qsl(text, keep_blank_values=True)]
    for name in names:
        if _fold(name) in _folded(known):
            raise InvalidRequest(
                f"The field {name!a} belongs in the request body, not in the query.",
                code="unknown_field",
            )


def _is_canonical(body: bytes, value: Json) -> bool:
    """Whether the body is what we would write for its value, white space aside.

    Then no key is repeated: our writing has each once, and the same tokens. It costs a third of
    reading with a hook for each object. A body that is written differently is read carefully.
    """
    if _LONG_DIGITS in body.translate(_ALL_DIGITS_ZERO):
        return False
    written = _encode(value)
    if written == body:
        return True
    return written.translate(None, _WHITESPACE) == body.translate(None, _WHITESPACE)


class _Repeated(ValueError):
    pass


class _BeyondRange(ValueError):
    pass


def _unrepeated(pairs: _Pairs) -> dict[str, Json]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise _Repeated
    return fields


def _ranged(digits: str) -> int:
    number = int(digits)
    if not _INT_MIN <= number <= _INT_MAX:
        raise _BeyondRange(digits)
    return number


class _Object:
    """An object with its repeated keys, to find them in."""

    def __init__(self, pairs: _Pairs) -> None:
        self.pairs = pairs


_careful = json.JSONDecoder(object_pairs_hook=_unrepeated, parse_int=_ranged).decode
_placing = json.JSONDecoder(object_pairs_hook=_Object).decode


def _read_carefully(body: bytes) -> None:
    text = body.decode()  # it has been read as UTF-8 before
    try:
        _careful(text)
    except _Repeated:
        place = next(_repeated(_placing(text), ""))
        raise InvalidRequest(
            f"The field {place!a} is given twice: only one of them could be obeyed.",
            code="invalid_json",
            param=place if place.isprintable() else None,
        ) from None
    except _BeyondRange as number:
        raise InvalidRequest(
            f"The number {str(number)[:40]} is beyond 64 bits.", code="invalid_json"
        ) from None


def _repeated(node: object, place: str) -> Iterator[str]:
    """The places of repeated keys, as `tools[0].type`."""
    if isinstance(node, list):
        for index, inner in enumerate(node):
            yield from _repeated(inner, f"{place}[{index}]")
    if not isinstance(node, _Object):
        return
    seen: set[str] = set()
    for name, inner in node.pairs:
        path = f"{place}.{name}" if place else name
        if name in seen:
            yield path
        seen.add(name)
        yield from _repeated(inner, path)


def _is_too_deep(value: Json) -> bool:
    level: list[Json] = [value]
    for _ in range(DEPTH_MAX):
        inner = chain.from_iterable(
            node.values() if isinstance(node, dict) else node
            for node in level
            if isinstance(node, dict | list)
        )
        level = [node for node in inner if isinstance(node, dict | list)]
        if not level:
            return False
    return True


def _too_deep() -> InvalidRequest:
    return InvalidRequest(
        f"The request body is nested deeper than {DEPTH_MAX} levels.", code="invalid_json"
    )


def _unreadable(body: bytes, broken: Exception) -> InvalidRequest:
    if body.startswith(_MARKS) or b"\0" in body[:4]:
        said = "it must be UTF-8 without a byte order mark"
    else:
        said = str(broken)
    return InvalidRequest(f"The request body is not valid JSON: {said}.", code="invalid_json")


@lru_cache(maxsize=8)
def _folded(known: frozenset[str]) -> dict[str, str]:
    return {_fold(name): name for name in known}


def _fold(name: str) -> str:
    """What is left of a name under every equality that a reader might use."""
    letters = name.replace("_", "")
    if letters.isascii() and letters.isalpha():
        return letters.lower()
    letters = unicodedata.normalize("NFKC", letters.upper().casefold())
    return "".join(letter for letter in letters if letter.isalnum()).lower()
