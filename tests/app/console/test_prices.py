"""Prices: every card in force, and a dry run that costs what it would cost."""

from gateway.adapters.views import Fact
from gateway.core.money import to_usd
from gateway.core.tool_use import NO_TOOLS
from gateway.core.usage import Usage
from tests.app.console.conftest import Month
from tests.fakes.consoled import BOOK
from tests.journeys.stage import now_us


async def test_every_model_has_its_line(month: Month) -> None:
    csv = await month.text("/console/prices?csv=prices")
    names: list[Fact] = [line.split(",")[0] for line in csv.splitlines()[1:]]
    assert names == [card.name for card in BOOK.in_force(now_us())]


async def test_a_dry_run_is_priced_as_a_request_is(month: Month) -> None:
    card = BOOK.find("gpt-5.4", now_us())
    assert card is not None
    usage = Usage(input_tokens=300_000, cached_tokens=1_024, output_tokens=77)
    for tier in card.tiers:
        cost = card.cost(usage=usage, tools=NO_TOOLS, service_tier=tier)
        path = f"/console/prices/gpt-5.4?input=300000&cached=1024&output=77&tier={tier}"
        text = await month.text(path)
        if cost.cost_pusd is None:
            assert "no price:" in text
        else:
            assert f'data-dry><data value="{to_usd(cost.cost_pusd)}"' in text


async def test_what_was_set_is_told(month: Month) -> None:
    for path in ("/console/prices", "/console/prices/gpt-5-mini"):
        assert "back to the list price" in await month.text(path)
    assert (await month.on.get("/console/prices/gpt-none")).status_code == 404
