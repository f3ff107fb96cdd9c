"""`gateway holds list`."""

import asyncio

from gateway.adapters import migrate
from gateway.adapters.database import open_engine
from gateway.adapters.ledger import Ledger
from gateway.cli.access import now_us
from tests.builders import hold
from tests.cli.commands import Gateway


def leave_one_open(gateway: Gateway) -> dict[str, object]:
    """Hold, look at it while the process lives, and end without settling; what was seen."""
    seen: list[dict[str, object]] = []

    async def run() -> None:
        engine = open_engine("sqlite:///.gateway/gateway.db")
        migrate.upgrade(engine)
        ledger = Ledger(engine=engine, owner_id="test", now_us=now_us)
        ledger.start()
        await ledger.hold(hold(request_id="req-a", created_at_us=now_us() - 90_000_000))
        seen.extend((await asyncio.to_thread(gateway, "holds", "list", "--json")).json)
        await ledger.aclose()
        engine.dispose()

    asyncio.run(run())
    (found,) = seen
    return found


def test_which_are_live_and_which_are_not(gateway: Gateway) -> None:
    live = leave_one_open(gateway)
    assert live["hold_usd"] == "0.005000000000"
    assert (live["tenant"], live["key_id"]) == ("acme/search", "k00000000001")
    assert (live["owner"], live["owner_lives"], live["why"]) == ("test", True, "in flight")
    assert isinstance(live["age_seconds"], float)
    assert 90 <= live["age_seconds"] < 150
    (dead,) = gateway("holds", "list", "--json").json
    assert (dead["request_id"], dead["owner_lives"]) == ("req-a", False)
    assert (dead["host"], dead["why"]) == (None, "its process died; will be reconciled")


def test_as_a_table(gateway: Gateway) -> None:
    leave_one_open(gateway)
    said = gateway("holds", "list")
    assert said.out.splitlines()[1].startswith("req-a ")
    assert said.err == "1 open, 0.005000000000 USD held\n"


def test_none(gateway: Gateway) -> None:
    gateway("migrate")
    assert gateway("holds", "list", "--json").json == []
