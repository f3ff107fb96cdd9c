"""Live: lives are seen while they last, here and, where there are several, in all processes."""

import asyncio
import contextlib
import gc
from pathlib import Path

from gateway.adapters.live_files import LiveFiles
from gateway.app.live import LIVES_MAX, Live
from gateway.core.life import Life
from gateway.core.price_book import PriceBook
from tests import builders
from tests.journeys.stage import until


def life(name: str) -> Life:
    hold = builders.hold(request_id=name)
    return Life(hold=hold, book=PriceBook(version="", cards={}), started=0.0)


async def test_a_life_is_seen_until_it_ends() -> None:
    live = Live()
    one, other = live.watch(life("one")), live.watch(life("other"))
    assert list(await live.look()) == ["one", "other"]
    del one
    gc.collect()
    assert (list(live.here()), other.hold.request_id) == (["other"], "other")


async def test_no_more_are_told_than_anybody_reads() -> None:
    live = Live()
    kept = [live.watch(life(f"r{number}")) for number in range(LIVES_MAX + 3)]
    assert len(live.here()) == LIVES_MAX < len(kept)


async def test_each_process_sees_those_of_all(tmp_path: Path) -> None:
    here, there = Live(LiveFiles(tmp_path, "here")), Live(LiveFiles(tmp_path, "there"))
    one, other = here.watch(life("one")), there.watch(life("other"))
    telling = asyncio.ensure_future(there.run())
    assert set(await here.look()) == {"one"}, "nothing is told before somebody looks"
    await until((tmp_path / "live-there.json").exists)
    assert set(await here.look()) == {"one", "other"}
    telling.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await telling
    assert set(await here.look()) == {"one"}, f"{other.hold.request_id} went with its process"
    assert one.hold.request_id == "one"


async def test_one_process_alone_tells_nobody(tmp_path: Path) -> None:
    await Live().run()
    assert list(tmp_path.iterdir()) == []
