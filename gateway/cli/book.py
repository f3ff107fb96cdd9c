"""How a verb gets its price book. Not here: the verbs that show and change it."""

from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cli.access import database, has_database, settings_from
from gateway.cli.exits import CheckFailed, SettingsRefused

if TYPE_CHECKING:
    from gateway.core.price_book import PriceBook


def book_in_force(config: Path | None) -> "PriceBook":
    """The book with the operator's file, and what the database says, laid over it.

    A mistake in the file ends the verb.
    """
    settings = settings_from(config)
    try:
        book = files_book(settings.prices.file, region=settings.upstream.region)
    except CheckFailed as invalid:
        raise SettingsRefused(str(invalid)) from None
    if not has_database(settings):
        return book
    from gateway.adapters.overrides import laid_over

    with database(settings) as engine:
        return laid_over(engine, book)


def files_book(file: Path | None, *, region: str | None = None) -> "PriceBook":
    """The built-in book with a file laid over it, at a region's prices. Raises CheckFailed."""
    from gateway.adapters.price_format import PriceFileInvalid
    from gateway.adapters.pricefile import load_prices

    try:
        return load_prices(file, region=region)
    except PriceFileInvalid as invalid:
        raise CheckFailed(str(invalid)) from None
