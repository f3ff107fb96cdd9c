"""Figures, moments and names as pages write them. Exact values stay beside rounded ones.

Not here: which are shown (the pages), or where (the templates).
"""

import hashlib
import json
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from gateway import __version__
from gateway.adapters.overrides import Said
from gateway.core.moment import iso
from gateway.core.money import PUSD_PER_USD, to_usd

_APP = Path(__file__).resolve().parent.parent
STATIC = _APP / "static"
UNKNOWN = "\N{EN DASH}"
_US = 1_000_000
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_CENT_PUSD = PUSD_PER_USD // 100
_PHASES = {
    "waiting": "waiting for the upstream",
    "started": "begun, no output yet",
    "output": "output",
    "message": "writing",
    "reasoning": "reasoning",
    "function_call": "calling a function",
    "settling": "settling",
}


def environment() -> Environment:
    """The templates, with all that they use; whatever is written into them is escaped."""
    made = Environment(
        loader=FileSystemLoader(_APP / "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "usd": usd,
        "fine_usd": fine_usd,
        "exact_usd": exact_usd,
        "price": price,
        "count": count,
        "moment": moment,
        "span": span,
        "data": data,
        "percent": percent,
        "phase": phase,
        "budget_name": budget_words,
        "default_tier": default_tier,
    }
    made.globals |= {"asset": asset, "version": __version__}
    return made


def usd(pusd: int | None) -> Markup:
    """Money to the cent; what is less than one with two digits that count."""
    if pusd is None:
        return _unpriced()
    decimals = 2
    if 0 < abs(pusd) < _CENT_PUSD:
        decimals = min(12, 14 - len(str(abs(pusd))))
    return _money(pusd, decimals)


def fine_usd(pusd: int | None) -> Markup:
    """Money to a millionth: what single requests cost."""
    return _unpriced() if pusd is None else _money(pusd, 6)


def exact_usd(pusd: int | None) -> Markup:
    """Money with all of its decimals; those that say nothing are fainter, so that points align."""
    if pusd is None:
        return _unpriced()
    text = to_usd(pusd)
    said = text[: len(_plain(pusd))]
    return Markup('<data value="{0}">{1}<span class="zeros">{2}</span></data>').format(
        text, said, text[len(said) :]
    )


def price(pusd: int | None, units: int) -> str:
    """What so many units are priced at; a dash where there is no such price."""
    return UNKNOWN if pusd is None else _plain(pusd * units)


def count(number: int | None) -> str:
    """A whole number; what is not known is no zero."""
    return UNKNOWN if number is None else f"{number:,}"


def moment(us: int | None, *, is_day: bool = False) -> Markup:
    """A moment in UTC, with its exact form beside it."""
    if us is None:
        return escape(UNKNOWN)
    form = "%b %-d, %Y" if is_day else "%b %-d, %H:%M:%S"
    text = datetime.fromtimestamp(us / _US, UTC).strftime(form)
    return Markup('<time datetime="{0}" title="{0}">{1}</time>').format(iso(us), text)


def span(us: int | None) -> str:
    """How long: two units at most."""
    if us is None:
        return UNKNOWN
    seconds = us / _US
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    if whole < 2 * _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def percent(part: int, whole: int) -> float:
    """How much of a whole a part is, for drawing: between 0 and 100."""
    return round(min(100.0, max(0.0, 100 * part / whole)), 2) if whole > 0 else 0.0


def phase(name: str) -> str:
    """What a response is at."""
    return _PHASES.get(name, name.removesuffix("_call").replace("_", " "))


def budget_words(budget: Any) -> str:
    """What tells the budgets of one subject apart."""
    models = "" if budget.models is None else f" · {', '.join(budget.models)}"
    return f"{budget.period}{models}"


def default_tier(said: Said) -> str:
    """What was said of the default tier, in words."""
    if said.document is None:
        return "as the files say"
    try:
        default = msgspec.json.decode(said.document)["models"][said.model]["prices"][0]["default"]
        return ", ".join(f"{name} {usd}" for name, usd in default.items())
    except (msgspec.DecodeError, KeyError, IndexError, TypeError, AttributeError):
        return "another form"


def data(value: object) -> Markup:
    """A value for scripts, as text that ends no element."""
    text = json.dumps(value, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704 - what could end the element was replaced above


@cache
def asset(name: str) -> str:
    """The address of a static file, which changes with it."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/console/static/{name}?v={digest}"


def _plain(pusd: int) -> str:
    whole, _, decimals = to_usd(pusd).partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def _money(pusd: int, decimals: int) -> Markup:
    exact = to_usd(pusd)
    shown = Decimal(exact).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    sign = "\N{MINUS SIGN}" if shown < 0 else ""
    return Markup('<data value="{0}" title="{0} USD">{1}${2}</data>').format(
        exact, sign, f"{abs(shown):,f}"
    )


def _unpriced() -> Markup:
    return Markup('<span class="tag warn">{}</span>').format(escape("unpriced"))
