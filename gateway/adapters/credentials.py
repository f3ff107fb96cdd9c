"""New credentials: an id to find them by, and 256 random bits. Not here: keeping their digests."""

import secrets

from gateway.core.tenant import base62, key_text

_ID_CHARACTERS = 12
_SECRET_CHARACTERS = 43  # 256 random bits


def new_credential(prefix: str) -> tuple[str, str]:
    """An id and the whole text, which is shown once."""
    credential_id = _random_text(_ID_CHARACTERS)
    return credential_id, key_text(credential_id, _random_text(_SECRET_CHARACTERS), prefix=prefix)


def _random_text(characters: int) -> str:
    return base62(secrets.randbelow(62**characters), characters)
