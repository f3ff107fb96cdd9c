"""Who pays: the tenant tree's paths, and the shape of a key. Not here: looking either up.

A tenant is named by its path, `acme/search/ana`; organisation, team and project are only depths of
it. A key reads `gw_<id>_<secret><checksum>`: the id finds it, the digest proves it, the checksum
tells a typing mistake from a wrong key without asking the database.
"""

import hashlib
import re
import zlib
from dataclasses import dataclass

DEPTH_MAX = 8
PATH_CHARACTERS_MAX = 255
_SEGMENT = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}\Z")
_KEY = re.compile(r"([a-z]+)_([0-9A-Za-z]{12})_([0-9A-Za-z]{43})([0-9A-Za-z]{6})\Z")
KEY_PREFIX = "gw"
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CHECKSUM_CHARACTERS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """Who sent a request: the tenant's path and the key it showed."""

    path: str
    key_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentedKey:
    """A well-formed key: its public id and the SHA-256 of the whole."""

    id: str
    digest: bytes


def tenant_path(path: str) -> str:
    """The path itself when it is one; raises ValueError saying what is wrong with it."""
    segments = path.split("/")
    if len(path) > PATH_CHARACTERS_MAX or len(segments) > DEPTH_MAX:
        raise ValueError(
            f"a tenant path has at most {DEPTH_MAX} levels and {PATH_CHARACTERS_MAX} characters"
        )
    for segment in segments:
        if not _SEGMENT.match(segment):
            raise ValueError(
                f"{segment!r} is no tenant name: use a-z, 0-9, '.', '_' and '-', "
                "beginning with a letter or digit, at most 63 characters, levels joined by '/'"
            )
    return path


def ancestry(path: str) -> list[str]:
    """The tenant and those above it, root first: `a/b` gives `a`, `a/b`."""
    segments = path.split("/")
    return ["/".join(segments[: depth + 1]) for depth in range(len(segments))]


def key_text(key_id: str, secret: str, *, prefix: str = KEY_PREFIX) -> str:
    """The whole key from its id and secret, checksum added."""
    body = f"{prefix}_{key_id}_{secret}"
    return body + _checksum(body)


def present(key: str, *, prefix: str = KEY_PREFIX) -> PresentedKey | None:
    """Read a key as a client sent it; None when it cannot be one of ours, of this kind."""
    match = _KEY.match(key)
    if match is None or match[1] != prefix or _checksum(key[:-CHECKSUM_CHARACTERS]) != match[4]:
        return None
    return PresentedKey(id=match[2], digest=digest(key))


def digest(key: str) -> bytes:
    """SHA-256 of the whole key: a secret of 256 random bits gains nothing from a slow hash."""
    return hashlib.sha256(key.encode("ascii")).digest()


def base62(number: int, characters: int) -> str:
    """`number` in base 62, padded to `characters`."""
    text = ""
    for _ in range(characters):
        number, digit = divmod(number, len(_BASE62))
        text = _BASE62[digit] + text
    return text


def _checksum(body: str) -> str:
    return base62(zlib.crc32(body.encode("ascii")), CHECKSUM_CHARACTERS)
