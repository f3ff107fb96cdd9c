"""What the simulator served, priced by the price book: the truth that entries are held against."""

from gateway.adapters.pricefile import load_prices
from gateway.adapters.reports import EntryRow
from gateway.core.tool_use import tool_use_from
from gateway.core.usage import usage_from
from gateway.simulator.oracle import Served
from tests.journeys.stage import now_us

BOOK = load_prices()


def cost_pusd(served: Served) -> int:
    """What one response costs."""
    price = BOOK.find(served.model, now_us())
    usage = usage_from(served.usage)
    assert price is not None
    assert usage is not None
    tools = tool_use_from(served.tool_usage, {}, ())
    cost = price.cost(usage=usage, tools=tools, service_tier=served.service_tier).cost_pusd
    assert cost is not None
    return cost


def assert_exact(entry: EntryRow, served: Served, basis: str = "reported") -> None:
    """The entry is this response's, by what it said of itself, and priced to the picodollar."""
    assert_read(entry, served, basis)
    assert (entry.problem, entry.cost_pusd) == (None, cost_pusd(served)), entry


def assert_read(entry: EntryRow, served: Served, basis: str = "reported") -> None:
    """The entry is this response's, and its usage what the response said."""
    told = entry.response_id, entry.outcome, entry.basis
    assert told == (served.response_id, served.outcome, basis), told
    usage = usage_from(served.usage)
    assert usage is not None
    assert (entry.input_tokens, entry.output_tokens) == (usage.input_tokens, usage.output_tokens)


def assert_all_exact(entries: list[EntryRow], served: list[Served]) -> None:
    """One exact entry for each response, and nothing else."""
    by_id = {one.response_id: one for one in served}
    assert sorted(str(entry.response_id) for entry in entries) == sorted(by_id)
    for entry in entries:
        assert_exact(entry, by_id[str(entry.response_id)])
