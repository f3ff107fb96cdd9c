"""The ids of a response, and the pieces in which a text is streamed: both follow from the input."""

import hashlib
from dataclasses import dataclass

PIECE_LENGTH = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Ids:
    """All ids of one response, derived from its stem, so that a fixed stem gives fixed bytes."""

    stem: str

    @property
    def response(self) -> str:
        return f"resp_{self.stem}"

    def item(self, prefix: str, number: int) -> str:
        return f"{prefix}_{self.stem[:16]}{self.noise(f'{prefix}{number}', 34)}"

    def noise(self, salt: str, length: int) -> str:
        return hashlib.sha256(f"{self.stem}/{salt}".encode()).hexdigest()[:length]


def sliced(text: str) -> tuple[str, ...]:
    """The text in pieces of a token's length."""
    return tuple(text[at : at + PIECE_LENGTH] for at in range(0, len(text), PIECE_LENGTH))
