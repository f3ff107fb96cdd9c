"""A few values out of a large JSON document that passes in pieces, by path, in bounded memory.

Here: the walk, and what it keeps. Not here: which paths are wanted, or what their values mean.
Values stay raw JSON, because a wrong shape of one must not cost the others.
"""

import re
from collections.abc import Callable

import msgspec

from gateway.core.paths import Node
from gateway.core.skimmed import NAME_BYTES_MAX, Skimmed

DEPTH_MAX = 128  # a request may nest 64 deep, and what it says is echoed a few levels further down
KEPT_BYTES_MAX = 1 << 16
UNREADABLE = b"?"  # stands for a value that was too large to be kept; it is no JSON

_SOLID = re.compile(rb"[^ \t\r\n]")
_TEXT = rb'[^"\\]*+(?:\\.[^"\\]*+)*'  # a possessive group loses its place before Python 3.11.5
_UP_TO_QUOTE = re.compile(_TEXT, re.DOTALL)
_UP_TO_MARK = re.compile(rb'[^"{}\[\]]*+(?:"' + _TEXT + rb'"[^"{}\[\]]*+)*', re.DOTALL)
_SCALAR_END = re.compile(rb"[^0-9A-Za-z+.\-]")
_SCALAR_START = b"-0123456789tfn"
_QUOTE, _BACKSLASH, _COLON, _COMMA = b'"\\:,'
_OPEN_OBJECT, _CLOSE_OBJECT, _OPEN_ARRAY, _CLOSE_ARRAY = b"{}[]"
_OPENINGS = b"{["

_decode_name = msgspec.json.Decoder(str).decode


class Skimmer:
    """Walks one JSON document fed in any pieces, in bounded memory. Takes any bytes, never raises.

    Strict along the paths it looks for, so that it never reads a value from a wrong place; in what
    it skips only strings and brackets are followed.
    """

    def __init__(self, tree: Node) -> None:
        self.is_broken = False
        self.found = Skimmed()
        self._frames: list[Node] = []
        self._node: Node | None = tree  # what the next value is to us
        self._depth = 0  # of containers that are skipped
        self._kept: bytearray | None = None  # the key or value being kept
        self._is_in_string = False
        self._is_escaped = False
        self._step: Callable[[bytes, int], int] = self._token
        self._expect: Callable[[int], None] = self._value
        self._over: Callable[[], None] | None = None  # what to do when a token has been kept

    def feed(self, piece: bytes, /) -> None:
        position = 0
        while position < len(piece) and not self.is_broken:
            start, kept = position, self._kept
            position = self._step(piece, start)
            if kept is not None:
                room = KEPT_BYTES_MAX + 1 - len(kept)
                kept += piece[start : min(position, start + room)]
            if self._over is not None:
                over, self._over = self._over, None
                over()

    def end(self) -> Skimmed | None:
        """What was found; None when the document was cut short or is no JSON."""
        return None if self.is_broken or self._expect != self._nothing else self.found

    def _break(self) -> None:
        self.is_broken = True

    # steps: each takes what it can from a piece and answers where it stopped

    def _token(self, piece: bytes, position: int) -> int:
        solid = _SOLID.search(piece, position)
        if solid is None:
            return len(piece)
        self._expect(piece[solid.start()])
        return solid.end()

    def _scalar(self, piece: bytes, position: int) -> int:
        end = _SCALAR_END.search(piece, position)
        if end is None:
            return len(piece)
        self._over = self._end_value
        return end.start()

    def _text(self, piece: bytes, position: int) -> int:
        position = self._pass_string(piece, position)
        if not self._is_in_string:
            self._over = self._end_value
        return position

    def _key(self, piece: bytes, position: int) -> int:
        position = self._pass_string(piece, position)
        if not self._is_in_string:
            self._over = self._end_key
        return position

    def _inside(self, piece: bytes, position: int) -> int:
        if self._is_in_string:
            position = self._pass_string(piece, position)
        while position < len(piece):
            mark = _reach(_UP_TO_MARK, piece, position)
            if mark == len(piece):
                break
            position = mark + 1
            byte = piece[mark]
            if byte == _QUOTE:  # a string that does not end in this piece
                self._is_in_string = True
                position = self._pass_string(piece, position)
            elif byte in _OPENINGS:
                self._deepen()
                if self.is_broken:
                    break
            else:
                self._depth -= 1
                if not self._depth:
                    self._over = self._end_value
                    return position
        return len(piece)

    def _pass_string(self, piece: bytes, position: int) -> int:
        """Past the closing quote, or to the end of the piece with `_is_in_string` still set."""
        if self._is_escaped:
            self._is_escaped = False
            position += 1
        quote = piece.find(b'"', position)  # long texts mostly hold none: nothing is faster
        if quote < 0 and piece[-1] != _BACKSLASH:
            return len(piece)
        if quote < 0 or (quote > position and piece[quote - 1] == _BACKSLASH):
            quote = _reach(_UP_TO_QUOTE, piece, position)
            if quote == len(piece):
                return quote
            if piece[quote] == _BACKSLASH:
                self._is_escaped = True
                return len(piece)
        self._is_in_string = False
        return quote + 1

    # expectations: what the next byte that is no white space may be

    def _value(self, byte: int) -> None:
        node = self._node
        if node is not None:
            self.found.forget(node.path, node.arrays)
            if self._enter(node, byte):
                return
        if byte in _OPENINGS:
            self._step = self._inside
            self._deepen()
        elif byte == _QUOTE:
            self._step = self._text
            self._is_in_string = True
        elif byte in _SCALAR_START:
            self._step = self._scalar
        else:
            self._break()

    def _enter(self, node: Node, byte: int) -> bool:
        """Whether the value is an object or array to be walked. A leaf is kept from here on."""
        if byte == _OPEN_OBJECT and node.children is not None:
            self._expect = self._first_key
        elif byte == _OPEN_ARRAY and node.element is not None:
            self._expect = self._first_element
        else:
            if node.is_kept and (node.children is None or byte not in _OPENINGS):
                self._kept = bytearray((byte,))
            return False
        self._frames.append(node)
        return True

    def _deepen(self) -> None:
        self._depth += 1
        if len(self._frames) + self._depth > DEPTH_MAX:
            self._break()

    def _first_key(self, byte: int) -> None:
        if byte == _CLOSE_OBJECT:
            self._leave()
        else:
            self._next_key(byte)

    def _next_key(self, byte: int) -> None:
        if byte != _QUOTE:
            self._break()
        self._kept = bytearray(b'"')
        self._is_in_string = True
        self._step = self._key

    def _colon(self, byte: int) -> None:
        if byte != _COLON:
            self._break()
        self._expect = self._value

    def _after_member(self, byte: int) -> None:
        if byte == _COMMA:
            self._expect = self._next_key
        elif byte == _CLOSE_OBJECT:
            self._leave()
        else:
            self._break()

    def _first_element(self, byte: int) -> None:
        if byte == _CLOSE_ARRAY:
            self._leave()
        else:
            self._node = self._frames[-1].element
            self._value(byte)

    def _after_element(self, byte: int) -> None:
        if byte == _COMMA:
            self._node = self._frames[-1].element
            self._expect = self._value
        elif byte == _CLOSE_ARRAY:
            self._leave()
        else:
            self._break()

    def _nothing(self, _byte: int) -> None:
        self._break()

    # ends of tokens

    def _leave(self) -> None:
        self._frames.pop()
        self._end_value()

    def _end_key(self) -> None:
        kept, self._kept = bytes(self._kept or b""), None
        children = self._frames[-1].children or {}
        try:
            self._node = children.get(_decode_name(kept)) if len(kept) <= NAME_BYTES_MAX else None
        except ValueError:
            self._node = None
        self._step = self._token
        self._expect = self._colon

    def _end_value(self) -> None:
        values = self.found.values
        if self._kept is not None and self._node is not None:
            is_small = len(self._kept) <= KEPT_BYTES_MAX
            values[self._node.path] = bytes(self._kept) if is_small else UNREADABLE
        self._kept = None
        self._step = self._token
        if not self._frames:
            self._expect = self._nothing
        elif self._frames[-1].element is None:
            self._expect = self._after_member
        else:
            self._end_element(self._frames[-1].path, self._frames[-1].element)
            self._expect = self._after_element

    def _end_element(self, array: str, element: Node) -> None:
        values, item = self.found.values, element.path
        if element.has_id:
            container = values.get(f"{item}.container_id", b"")
            elsewhere = values.get(f"{item}.environment.container_id", b"")
            self.found.name(array, values.pop(f"{item}.id", b""), container or elsewhere)
        self.found.count(array, tuple([values.pop(place, b"") for place in element.below]))
        values.pop(item, None)


def _reach(pattern: re.Pattern[bytes], piece: bytes, position: int) -> int:
    found = pattern.match(piece, position)
    assert found is not None  # it matches nothing too
    return found.end()
