"""Price files (TOML) to a price book, validated whole at boot: a mistake stops the start, by name.

The built-in book lies under the operator's files; a model that a later layer names is that layer's
alone. Not here: what a card costs (`core.prices`). `gateway/prices/README.md` tells the format.
"""

import datetime as dt
import difflib
import hashlib
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from gateway.core.layers import FILE, version_of
from gateway.core.money import PUSD_PER_USD, pusd_per_unit
from gateway.core.price_book import PriceBook
from gateway.core.prices import IMAGE_TOKENS_MAX, TIERS, TOOL_FEES, ModelPrice, Rates, TierRates

BUILT_IN = Path(__file__).resolve().parent.parent / "prices"
TOKENS_PER_PRICE = 1_000_000
CALLS_PER_PRICE = 1_000
USD_MAX = 10_000  # a price: above it a cost would leave a BIGINT, and it is a typo

_METERS = ("input", "cached", "cache_write", "cache_write_12h", "output")
_Tokens = Annotated[int, msgspec.Meta(gt=0, le=100_000_000)]
_T = TypeVar("_T")


class PriceFileInvalid(ValueError):
    """A price file cannot be used; the message says which, where and why."""


class _Rates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    input: str
    output: str
    cached: str | None = None
    cache_write: str | None = None
    cache_write_12h: str | None = None


class _Row(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    rename={"since": "from", "until": "to"},
):
    source: str
    default: _Rates
    since: dt.date | None = None
    until: dt.date | None = None
    default_long: _Rates | None = None
    flex: _Rates | None = None
    flex_long: _Rates | None = None
    priority: _Rates | None = None
    priority_long: _Rates | None = None
    batch: _Rates | None = None
    batch_long: _Rates | None = None
    ultrafast: _Rates | None = None
    ultrafast_long: _Rates | None = None
    tools: dict[str, str] = {}


class _Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    input_tokens_max: _Tokens
    output_tokens_max: _Tokens
    prices: Annotated[list[_Row], msgspec.Meta(min_length=1)]
    long_context_above_tokens: _Tokens | None = None
    image_tokens_max: _Tokens = IMAGE_TOKENS_MAX


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    as_of: dt.date
    prompt_overhead_tokens: _Tokens | None = None
    models: dict[str, Any] = {}  # each is converted with its name at hand, for the message
    aliases: dict[str, str] = {}
    unpriced: list[str] = []


_KEYS = tuple(
    key for struct in (_File, _Model, _Row, _Rates) for key in struct.__struct_encode_fields__
)
_UNKNOWN = re.compile(r"unknown field `(.+?)`")


def load_prices(*paths: Path | None) -> PriceBook:
    """The built-in book, with each of the operator's files laid over it in turn; None is no file.

    Raises PriceFileInvalid with file, place and reason.
    """
    built_in = sorted(BUILT_IN.glob("*.toml"))
    texts = {path: _read(path) for path in (*built_in, *paths) if path is not None}
    files = {path: _parse(path, text) for path, text in texts.items()}
    known = [(files[path], texts[path]) for path in built_in]
    versions = dict.fromkeys(built_in, _version(known)) | {
        path: version_of(FILE, _version([(files[path], texts[path])]))
        for path in files.keys() - built_in
    }
    every = _version((file, texts[path]) for path, file in files.items())
    return _book(files, versions, version=every)


def document_of(path: Path, model: str) -> bytes:
    """What a price file says of one model, as JSON to be kept. Raises PriceFileInvalid."""
    text = _read(path)
    file = _parse(path, text)
    if model not in file.models:
        names = ", ".join(file.models) or "none"
        raise PriceFileInvalid(f"{path}: has no prices of {model}, but of {names}")
    table = tomllib.loads(text.decode())
    kept = {name: value for name, value in table.items() if name not in {"aliases", "unpriced"}}
    return msgspec.json.encode({**kept, "models": {model: table["models"][model]}})


def cards_of(document: bytes, model: str, *, where: str, version: str) -> tuple[ModelPrice, ...]:
    """The cards of a model that `document_of` kept. Raises PriceFileInvalid with its place."""
    try:
        table = msgspec.json.decode(document)
    except msgspec.DecodeError as broken:
        raise PriceFileInvalid(f"{where}: is not JSON: {broken}") from broken
    place = Path(where)
    book = _book({place: _convert(table, _File, where=where)}, {place: version}, version=version)
    return book.cards.get(model, ())


def _version(known: Iterable[tuple[_File, bytes]]) -> str:
    files, texts = zip(*known, strict=True)
    as_of = max(file.as_of for file in files)
    return f"{as_of.isoformat()}+{hashlib.sha256(bytes(1).join(texts)).hexdigest()[:12]}"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as broken:
        raise PriceFileInvalid(f"{path}: cannot be read: {broken.strerror}") from broken


def _parse(path: Path, text: bytes) -> _File:
    try:
        table = tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
        raise PriceFileInvalid(f"{path}: is not TOML: {broken}") from broken
    return _convert(table, _File, where=str(path))


def _convert(table: object, kind: type[_T], *, where: str) -> _T:
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as broken:
        raise PriceFileInvalid(f"{where}: {broken}{_suggestion(str(broken))}") from broken


def _suggestion(message: str) -> str:
    unknown = _UNKNOWN.search(message)
    near = difflib.get_close_matches(unknown[1], _KEYS, n=1) if unknown else []
    return f"; did you mean `{near[0]}`?" if near else ""


def _book(files: dict[Path, _File], versions: dict[Path, str], *, version: str) -> PriceBook:
    cards: dict[str, tuple[ModelPrice, ...]] = {}
    aliases: dict[str, str] = {}
    unpriced: set[str] = set()
    for path, file in files.items():
        for name in (*file.unpriced, *file.aliases):
            cards.pop(name, None)
        unpriced = unpriced.union(file.unpriced) - file.aliases.keys() - file.models.keys()
        aliases = aliases | file.aliases
        aliases = {name: aliases[name] for name in aliases.keys() - file.models.keys()}
        for name, table in file.models.items():
            found = _cards(name, table, where=f"{path}: models.{name}", version=versions[path])
            overhead = file.prompt_overhead_tokens
            cards[name] = tuple(replace(card, prompt_overhead_tokens=overhead) for card in found)
    for name, target in aliases.items():
        if target not in cards:
            raise PriceFileInvalid(f"aliases: {name} stands for {target}, which has no price")
    return PriceBook(version=version, cards=cards, aliases=aliases, unpriced=frozenset(unpriced))


def _cards(name: str, table: object, *, where: str, version: str) -> tuple[ModelPrice, ...]:
    model = _convert(table, _Model, where=where)
    cards = [
        _card(name, model, row, where=f"{where}.prices[{index}]", version=version)
        for index, row in enumerate(model.prices)
    ]
    cards.sort(key=lambda card: card.effective_from_us or 0)
    for card, following in pairwise(cards):
        ends, starts = card.effective_to_us, following.effective_from_us
        if ends is None or starts is None or ends > starts:
            raise PriceFileInvalid(f"{where}: two prices are in force at the same time")
    return tuple(cards)


def _card(name: str, model: _Model, row: _Row, *, where: str, version: str) -> ModelPrice:
    if row.since and row.until and row.since >= row.until:
        raise PriceFileInvalid(f"{where}: `from` is not before `to`")
    tiers, rounded = {}, list[str]()
    for tier in TIERS:
        rates = _tier(tier, model, row, where=where, rounded=rounded)
        if rates is not None:
            tiers[tier] = rates
    return ModelPrice(
        name=name,
        version=version,
        effective_from_us=_micros(row.since),
        effective_to_us=_micros(row.until),
        source=row.source,
        tiers=tiers,
        long_context_threshold_tokens=model.long_context_above_tokens,
        input_tokens_max=model.input_tokens_max,
        output_tokens_max=model.output_tokens_max,
        image_tokens_max=model.image_tokens_max,
        tool_fees_pusd=dict(_fees(row, where=where, rounded=rounded)),
        rounded=tuple(rounded),
    )


def _tier(
    tier: str, model: _Model, row: _Row, *, where: str, rounded: list[str]
) -> TierRates | None:
    long_tier = f"{tier}_long"
    short: _Rates | None = getattr(row, tier)
    long: _Rates | None = getattr(row, long_tier)
    if long is not None and (short is None or model.long_context_above_tokens is None):
        raise PriceFileInvalid(
            f"{where}.{long_tier}: needs `{tier}` and the model's `long_context_above_tokens`"
        )
    if short is None:
        return None
    return TierRates(
        short=_rates(short, where=f"{where}.{tier}", rounded=rounded),
        long=_rates(long, where=f"{where}.{long_tier}", rounded=rounded) if long else None,
    )


def _rates(rates: _Rates, *, where: str, rounded: list[str]) -> Rates:
    numbers: dict[str, int | None] = {}
    for meter in _METERS:
        usd: str | None = getattr(rates, meter)
        place = f"{where}.{meter}"
        numbers[meter] = (
            None if usd is None else _unit(usd, TOKENS_PER_PRICE, where=place, rounded=rounded)
        )
    return Rates(**numbers)


def _fees(row: _Row, *, where: str, rounded: list[str]) -> Iterator[tuple[str, int]]:
    for tool, usd in row.tools.items():
        place = f"{where}.tools.{tool}"
        if tool not in TOOL_FEES:
            raise PriceFileInvalid(f"{place}: no such fee; there are {', '.join(TOOL_FEES)}")
        yield tool, _unit(usd, CALLS_PER_PRICE, where=place, rounded=rounded)


def _unit(usd: str, units: int, *, where: str, rounded: list[str]) -> int:
    try:
        pusd, is_rounded = pusd_per_unit(usd, units=units)
    except ValueError as broken:
        raise PriceFileInvalid(f"{where}: {broken}") from broken
    if pusd * units > USD_MAX * PUSD_PER_USD:
        raise PriceFileInvalid(f"{where}: {usd} USD is more than {USD_MAX} for {units:,}")
    if is_rounded:
        rounded.append(where.rpartition("].")[2])
    return pusd


def _micros(day: dt.date | None) -> int | None:
    """The first microsecond of a day, UTC."""
    if day is None:
        return None
    start = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
    return int(start.timestamp()) * 1_000_000
