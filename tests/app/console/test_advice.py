"""Advice: the same arithmetic as the command line's, on the newest requests."""

import pytest

from gateway.adapters.advised import add_all, cheaper_models
from gateway.adapters.traffic import traffic
from gateway.app.console import advice
from gateway.core.advice import Advice, Assumed
from gateway.core.money import to_usd
from tests.app.console.conftest import Month
from tests.fakes.consoled import BOOK
from tests.journeys.stage import now_us

DAY_US = 86_400_000_000


async def test_each_lever_is_what_the_traffic_comes_to(month: Month) -> None:
    since_us = (now_us() // DAY_US - 6) * DAY_US
    wanted = Advice(cheaper=cheaper_models(BOOK, now_us(), None), assumed=Assumed())
    add_all(wanted, traffic(month.engine, BOOK, since_us=since_us))
    shown = await month.figures("/console/advice")
    assert shown == [to_usd(wanted.cost_pusd), *(to_usd(one.saved_pusd) for one in wanted.levers())]


async def test_of_much_traffic_only_the_newest_counts(
    month: Month, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advice, "REQUESTS_MAX", 50)
    text = await month.text("/console/advice?span=30d")
    assert "<p>50 requests cost" in text
    assert "the newest 50 of the span" in text
