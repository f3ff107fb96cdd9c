"""What of a list a key is shown: models that its policy allows, objects that are its tenant's.

Not here: which models it may ask (`admit`), or what is whose (`ownership`).
"""

from collections.abc import Collection

import msgspec

from gateway.core.errors import ModelNotFound

_decode = msgspec.json.Decoder().decode


def visible(body: bytes, models: Collection[str] | None) -> bytes:
    """The upstream's list of models with these alone; as it came where all may be shown."""
    return body if models is None else only(body, models)


def only(body: bytes, ids: Collection[str]) -> bytes:
    """A list with these alone; as it came where that leaves nothing out, or where it is no list."""
    try:
        listed = _decode(body)
    except (ValueError, RecursionError):
        return body
    if not isinstance(listed, dict) or not isinstance(listed.get("data"), list):
        return body
    shown = [one for one in listed["data"] if isinstance(one, dict) and one.get("id") in ids]
    if len(shown) == len(listed["data"]):
        return body
    ends = {"first_id": shown[0]["id"], "last_id": shown[-1]["id"]} if shown else {}
    kept = {name: ends.get(name) for name in ("first_id", "last_id") if name in listed}
    return msgspec.json.encode({**listed, "data": shown, **kept})


def require_visible(model: str, models: Collection[str] | None) -> None:
    """Raise ModelNotFound, as the upstream does for a model that is not there."""
    if models is not None and model not in models:
        raise ModelNotFound(f"The model '{model}' does not exist", param="model")
