"""Price files (TOML) to a price book, validated whole at boot: a mistake stops the start, by name.

The built-in book lies under the operator's files; a model that a later layer names is that layer's
alone. Not here: what a card costs (`core.prices`). `gateway/prices/README.md` tells the format.
"""

import hashlib
import tomllib
from collections.abc import Iterable
from fractions import Fraction
from math import prod
from pathlib import Path

import msgspec

from gateway.adapters.price_cards import Scale, check_fees, image_prices, model_cards
from gateway.adapters.price_format import File, PriceFileInvalid, converted
from gateway.core.layers import FILE, version_of
from gateway.core.price_book import ImagePrice, PriceBook
from gateway.core.prices import ModelPrice

BUILT_IN = Path(__file__).resolve().parent.parent / "prices"


def load_prices(*paths: Path | None, region: str | None = None) -> PriceBook:
    """The built-in book, with each of the operator's files laid over it in turn; None is no file.

    `region` is that of the upstream's endpoint, where it is a regional one: some models cost more.
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
    if region is not None:
        versions = {path: f"{version}+{region}" for path, version in versions.items()}
    every = _version((file, texts[path]) for path, file in files.items())
    every += "" if region is None else f"+{region}"
    return _book(files, versions, version=every, is_regional=region is not None)


def document_of(path: Path, model: str) -> bytes:
    """What a price file says of one model, as JSON to be kept. Raises PriceFileInvalid."""
    text = _read(path)
    file = _parse(path, text)
    if model not in file.models:
        names = ", ".join(file.models) or "none"
        raise PriceFileInvalid(f"{path}: has no prices of {model}, but of {names}")
    table = tomllib.loads(text.decode())
    for name in ("regional_uplift", "contract"):
        if name in table["models"][model] or name in table:
            raise PriceFileInvalid(f"{path}: {name}: a price that is set is the one that is paid")
    kept = {name: value for name, value in table.items() if name not in {"aliases", "unpriced"}}
    return msgspec.json.encode({**kept, "models": {model: table["models"][model]}})


def cards_of(document: bytes, model: str, *, where: str, version: str) -> tuple[ModelPrice, ...]:
    """The cards of a model that `document_of` kept. Raises PriceFileInvalid with its place."""
    try:
        table = msgspec.json.decode(document)
    except msgspec.DecodeError as broken:
        raise PriceFileInvalid(f"{where}: is not JSON: {broken}") from broken
    return book_of(table, where=where, version=version).cards.get(model, ())


def book_of(table: object, *, where: str, version: str) -> PriceBook:
    """The book of one file's table alone. Raises PriceFileInvalid with its place."""
    place = Path(where)
    files = {place: converted(table, File, where=where)}
    return _book(files, {place: version}, version=version, is_regional=False)


def _version(known: Iterable[tuple[File, bytes]]) -> str:
    files, texts = zip(*known, strict=True)
    as_of = max(file.as_of for file in files)
    return f"{as_of.isoformat()}+{hashlib.sha256(bytes(1).join(texts)).hexdigest()[:12]}"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as broken:
        raise PriceFileInvalid(f"{path}: cannot be read: {broken.strerror}") from broken


def _parse(path: Path, text: bytes) -> File:
    try:
        table = tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
        raise PriceFileInvalid(f"{path}: is not TOML: {broken}") from broken
    return converted(table, File, where=str(path))


def _book(
    files: dict[Path, File], versions: dict[Path, str], *, version: str, is_regional: bool
) -> PriceBook:
    layers = _Layers()
    for path, file in files.items():
        over = [*files.values()][[*files].index(path) + 1 :]
        contract = prod([Fraction(one.contract or 1) for one in over], start=Fraction(1))
        scale = Scale(contract=contract, is_regional=is_regional)
        layers.add(file, where=str(path), version=versions[path], scale=scale)
    return layers.book(version)


class _Layers:
    """Files laid over each other: what a later one says of a name is all that is said of it."""

    def __init__(self) -> None:
        self._cards: dict[str, tuple[ModelPrice, ...]] = {}
        self._images: dict[str, tuple[ImagePrice, ...]] = {}
        self._image_default = ""
        self._aliases: dict[str, str] = {}
        self._unpriced: dict[str, str] = {}

    def add(self, file: File, *, where: str, version: str, scale: Scale) -> None:
        check_fees(file.tools, where=f"{where}: tools")
        reasons = file.unpriced
        if isinstance(reasons, list):
            reasons = dict.fromkeys(reasons, "its price is not known")
        for name in (*reasons, *file.aliases):
            self._cards.pop(name, None)
        self._unpriced = {**self._unpriced, **reasons}
        for name in (*file.aliases, *file.models):
            self._unpriced.pop(name, None)
        self._aliases = {**self._aliases, **file.aliases}
        for name, table in file.models.items():
            self._aliases.pop(name, None)
            place = f"{where}: models.{name}"
            self._cards[name] = model_cards(
                name, table, file, where=place, version=version, scale=scale
            )
        for name, rows in file.images.items():
            self._images[name] = image_prices(rows, where=f"{where}: images.{name}", scale=scale)
        self._image_default = file.image_model_default or self._image_default

    def book(self, version: str) -> PriceBook:
        for name, target in self._aliases.items():
            if target not in self._cards:
                raise PriceFileInvalid(f"aliases: {name} stands for {target}, which has no price")
        if self._image_default and self._image_default not in self._images:
            raise PriceFileInvalid(f"image_model_default: {self._image_default} has no price")
        return PriceBook(
            version=version,
            cards=self._cards,
            aliases=self._aliases,
            unpriced=self._unpriced,
            images={**self._images, "": self._images.get(self._image_default, ())},
        )
