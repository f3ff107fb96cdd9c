"""What a price file may say, and how a mistake in it is told.

`gateway/prices/README.md` tells the format. Not here: what comes of a file (`price_cards`).
"""

import datetime as dt
import difflib
import re
from typing import Annotated, Any, TypeVar

import msgspec

from gateway.core.prices import IMAGE_TOKENS_MAX

_Tokens = Annotated[int, msgspec.Meta(gt=0, le=100_000_000)]
_Written = Annotated[int, msgspec.Meta(ge=0, le=100_000_000)]
_Multiple = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,2}(\.[0-9]{1,6})?$")]
_T = TypeVar("_T")


class PriceFileInvalid(ValueError):
    """A price file cannot be used; the message says which, where and why."""


class TokenPrices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """USD for a million tokens, as decimal strings."""

    input: str
    output: str | None = None
    cached: str | None = None
    cache_write: str | None = None
    cache_write_12h: str | None = None
    audio: str | None = None
    audio_cached: str | None = None
    audio_output: str | None = None
    image: str | None = None
    image_cached: str | None = None
    image_output: str | None = None


class Row(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    rename={"since": "from", "until": "to"},
):
    """A model's prices over one span of time."""

    source: str
    default: TokenPrices
    since: dt.date | None = None
    until: dt.date | None = None
    default_long: TokenPrices | None = None
    flex: TokenPrices | None = None
    flex_long: TokenPrices | None = None
    priority: TokenPrices | None = None
    priority_long: TokenPrices | None = None
    batch: TokenPrices | None = None
    batch_long: TokenPrices | None = None
    ultrafast: TokenPrices | None = None
    ultrafast_long: TokenPrices | None = None
    scale: TokenPrices | None = None
    scale_long: TokenPrices | None = None
    tools: dict[str, str] | None = None  # None: those of the file


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model: its limits, and its prices."""

    input_tokens_max: _Tokens
    output_tokens_max: _Written
    prices: Annotated[list[Row], msgspec.Meta(min_length=1)]
    long_context_above_tokens: _Tokens | None = None
    image_tokens_max: _Tokens = IMAGE_TOKENS_MAX
    regional_uplift: _Multiple | None = None


class ImageRow(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    rename={"since": "from", "until": "to"},
):
    """What a model of the image tool costs over one span of time."""

    source: str
    default: TokenPrices
    since: dt.date | None = None
    until: dt.date | None = None


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole price file."""

    as_of: dt.date
    prompt_overhead_tokens: _Tokens | None = None
    contract: _Multiple | None = None  # what all layers below are multiplied by
    windows: dict[str, _Multiple] = {}  # of the default tier, for background responses
    tools: dict[str, str] = {}  # fees of all models here whose rows say nothing else
    models: dict[str, Any] = {}  # each is converted with its name at hand, for the message
    images: dict[str, list[ImageRow]] = {}
    image_model_default: str | None = None
    aliases: dict[str, str] = {}
    unpriced: dict[str, str] | list[str] = {}  # names, with the reason


_KEYS = tuple(
    key
    for struct in (File, Model, Row, ImageRow, TokenPrices)
    for key in struct.__struct_encode_fields__
)
_UNKNOWN = re.compile(r"unknown field `(.+?)`")


def converted(table: object, kind: type[_T], *, where: str) -> _T:
    """A table as what it must be. Raises PriceFileInvalid with its place."""
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as broken:
        raise PriceFileInvalid(f"{where}: {broken}{_suggestion(str(broken))}") from broken


def _suggestion(message: str) -> str:
    unknown = _UNKNOWN.search(message)
    near = difflib.get_close_matches(unknown[1], _KEYS, n=1) if unknown else []
    return f"; did you mean `{near[0]}`?" if near else ""
