"""Who reads a settled exchange: metrics, log and what else is to hear of it. Not here: posting."""

import logging
from collections.abc import Callable, Iterable

from gateway.core.exchange import Exchange

Sink = Callable[[Exchange], None]

log = logging.getLogger(__name__)


def tell(sinks: Iterable[Sink], exchange: Exchange) -> None:
    """Tell each reader; one that fails costs no one their answer, nor the others their record."""
    for sink in sinks:
        try:
            sink(exchange)
        except Exception:
            log.exception("a reader of exchanges failed")
