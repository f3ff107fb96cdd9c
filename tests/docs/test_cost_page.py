"""The worked example of `docs/cost.md` is what the calculator says, to the picodollar."""

import json
import re
import time

from gateway.adapters.pricefile import load_prices
from gateway.core.cost import Cost
from gateway.core.money import to_usd
from gateway.core.tool_use import tool_use_from
from gateway.core.usage import usage_from
from tests.fakes.pages import ROOT, blocks, sections

EXAMPLE = sections(ROOT / "docs" / "cost.md")["A worked example"]
ROW = re.compile(r"^\| `(\w+)` \| (\d*) ?\| ([\d.]*) ?\| ([\d.]+) \|$", re.MULTILINE)


def calculated() -> Cost:
    """What the response that the page shows costs today."""
    said = json.loads(next(one.text for one in blocks(EXAMPLE) if one.language == "json"))
    price = load_prices().find(said["model"], time.time_ns() // 1000)
    usage = usage_from(said["usage"])
    assert price is not None
    assert usage is not None
    tools = tool_use_from(said["tool_usage"], {}, ())
    return price.cost(usage=usage, tools=tools, service_tier=said["service_tier"])


def test_the_table_is_what_the_calculator_says() -> None:
    cost = calculated()
    rows = [
        (line.meter, str(line.quantity), to_usd(line.unit_price_pusd), to_usd(line.cost_pusd))
        for line in cost.lines
    ]
    assert cost.cost_pusd is not None
    assert ROW.findall(EXAMPLE) == [*rows, ("total", "", "", to_usd(cost.cost_pusd))]
