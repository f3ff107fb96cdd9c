"""What of a body the upstream reads: text by its bytes, images by their number, and what it lacks.

A token of text covers at least one byte, so a body bounds the tokens of its text. An image is a
number of tokens of its own however long its data are, and what a body only refers to is no bytes at
all. Not here: how many tokens that comes to (`core.bound`).
"""

from dataclasses import dataclass

from gateway.core.strict import Json

# What the upstream reads as the text it is: their bytes bound their tokens.
_TEXT_ITEMS = frozenset({
    "message", "function_call", "function_call_output", "custom_tool_call",
    "custom_tool_call_output",
})  # fmt: skip
_TEXT_PARTS = frozenset({"input_text", "output_text", "refusal", "reasoning_text", "summary_text"})
# What refers to input that is kept elsewhere. An earlier response may be known to our own records.
_REFERENCES = ("conversation", "prompt")

_Images = list[Json]  # where each is: a URL, a data URL, or nothing where a file's id says it


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a body brings. `missing` is the first place that refers to what it does not carry."""

    items: int
    images: int = 0
    image_bytes: int = 0  # of data URLs: bytes of the body that are never read as text
    missing: str | None = None


_ONE_TEXT = Content(items=1)


def content_of(fields: dict[str, Json]) -> Content:
    """What a request body brings as input."""
    for name in _REFERENCES:
        if fields.get(name) is not None:
            return Content(items=0, missing=name)
    items = fields.get("input")
    if items is None or isinstance(items, str):
        return _ONE_TEXT
    if not isinstance(items, list):
        return Content(items=0, missing="input")
    images: _Images = []
    for place, item in enumerate(items):
        if not _is_readable(item, images):
            return Content(items=0, missing=f"input[{place}]")
    if not images:
        return Content(items=len(items))
    return Content(items=len(items), images=len(images), image_bytes=sum(map(_data_bytes, images)))


def _data_bytes(url: Json) -> int:
    return len(url) if isinstance(url, str) and url.startswith("data:") else 0


def _is_readable(item: Json, images: _Images) -> bool:
    """Whether an item is text and images, of which the images are added."""
    if not isinstance(item, dict):
        return False
    kind = item.get("type")
    if kind == "reasoning":
        # One that does not carry its content is looked up by its id.
        return isinstance(item.get("encrypted_content"), str)
    if kind is None:
        # Without a type it is a message when someone says it, and else refers to a kept item.
        return "role" in item and "type" not in item and _is_content(item.get("content"), images)
    return (
        isinstance(kind, str)
        and kind in _TEXT_ITEMS
        and _is_content(item.get("content"), images)
        and _is_content(item.get("output"), images)
    )


def _is_content(content: Json, images: _Images) -> bool:
    if content is None or isinstance(content, str):
        return True
    return isinstance(content, list) and all(_is_part(part, images) for part in content)


def _is_part(part: Json, images: _Images) -> bool:
    if not isinstance(part, dict):
        return False
    kind = part.get("type")
    if kind == "input_image":
        images.append(part.get("image_url"))
        return True
    return isinstance(kind, str) and kind in _TEXT_PARTS
