"""Live: what is held is open, and how far it has come is told where it can be seen."""

from gateway.adapters.ledger import Ledger
from gateway.core.life import Life
from gateway.core.money import to_usd
from gateway.core.price_book import PriceBook
from tests import builders
from tests.app.console.conftest import Month
from tests.journeys.stage import now_us

DELTA = b'data: {"type":"response.output_text.delta","delta":"a"}\n\n'


async def test_what_is_open_is_shown_with_its_progress(month: Month) -> None:
    assert "Nothing is under way" in await month.text("/console/live")
    ledger = Ledger(engine=month.engine, owner_id="here", now_us=now_us)
    ledger.start()
    holds = [
        builders.hold(request_id=f"open-{path}", tenant=path, created_at_us=now_us(), legs=None)
        for path in ("globex", "initech/labs")
    ]
    for hold in holds:
        await ledger.hold(hold)
    life = Life(hold=holds[0], book=PriceBook(version="", cards={}), started=0.0)
    life.answered(status=200, headers=[(b"content-type", b"text/event-stream")], now=0.0)
    life.chunk(DELTA * 3, 0.0)
    month.on.live.watch(life)
    text = await month.text("/console/live/rows")
    assert text.count("data-request") == 2
    assert f'value="{to_usd(3 * 8_000_000)}"' in text
    assert "on another host" in text
    csv = await month.text("/console/live?csv=live&tenant=globex")
    assert [line.split(",")[0] for line in csv.splitlines()[1:]] == ["open-globex"]
    for hold in holds:
        await ledger.settle(builders.exchange(hold=hold, cost_pusd=0))
    await ledger.aclose()
    assert "Nothing is under way" in await month.text("/console/live")
