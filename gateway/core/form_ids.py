"""Ids in forms with files: none may be named there, as nobody could say whose they are.

Only the heads of parts are read, and more strictly than any parser would: a text that looks like
one inside a file is refused too, rarely, and can be sent as JSON. Not here: JSON (`ownership`).
"""

import re
from urllib.parse import unquote_to_bytes

from gateway.core.errors import InvalidRequest
from gateway.core.ownership import IDS, OBJECTS

_HEAD = re.compile(rb"content-disposition[^\r\n]*(?:\r?\n?[ \t][^\r\n]*)*", re.IGNORECASE)
_FILENAME = re.compile(rb'; filename="[^"\\;=]*"')
_BETWEEN = re.compile(rb"[^0-9A-Za-z_\-\x80-\xff]+")
_FOLDED = frozenset(name.replace("_", "") for name in (*IDS, *OBJECTS, "id"))


def refuse_ids(form: bytes) -> None:
    """Raise InvalidRequest for a form that names an object by its id."""
    for head in _HEAD.findall(form):
        for word in _BETWEEN.split(unquote_to_bytes(_FILENAME.sub(b"", head))):
            folded = re.sub("[^a-z0-9]", "", word.decode("utf-8", "replace").casefold())
            if folded in _FOLDED:
                raise InvalidRequest(
                    f"A form may not name {word.decode('utf-8', 'replace')!a}: send it as JSON.",
                    code="unknown_field",
                )
