"""Which models a key is shown: what its policy allows. Not here: what it may ask (`admit`)."""

from collections.abc import Collection

import msgspec

from gateway.core.errors import ModelNotFound

_decode = msgspec.json.Decoder().decode


def visible(body: bytes, models: Collection[str] | None) -> bytes:
    """The upstream's list of models with these alone; as it came where all may be shown."""
    if models is None:
        return body
    try:
        listed = _decode(body)
    except (ValueError, RecursionError):
        return body
    if not isinstance(listed, dict) or not isinstance(listed.get("data"), list):
        return body
    shown = [one for one in listed["data"] if isinstance(one, dict) and one.get("id") in models]
    if len(shown) == len(listed["data"]):
        return body
    return msgspec.json.encode({**listed, "data": shown})


def require_visible(model: str, models: Collection[str] | None) -> None:
    """Raise ModelNotFound, as the upstream does for a model that is not there."""
    if models is not None and model not in models:
        raise ModelNotFound(f"The model '{model}' does not exist", param="model")
