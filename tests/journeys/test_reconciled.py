"""What broke off is asked for: the upstream bills it all the same, and knows what it came to.

The simulator keeps responses, and completes those whose connection broke.
"""

import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.adapters import schema
from gateway.adapters.policies import Policies
from gateway.simulator.server import Simulator
from tests.fakes import ledgerview
from tests.journeys.bill import assert_exact
from tests.journeys.caller import calling, whole_answer
from tests.journeys.process import process_stage
from tests.journeys.stage import TENANT, body, now_us, stage, until

QUICK = {"idle_seconds": 0.3}


def asked_for(simulator: Simulator) -> list[str]:
    """The names that the simulator was asked for."""
    prefix = "/v1/responses/"
    return [one.path.removeprefix(prefix) for one in simulator.requests if one.method == "GET"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    directive: str
    reason: str


BREAKS = [
    Break(directive="reset=2000", reason="upstream_reset"),
    Break(directive="cut=terminal+200", reason="upstream_incomplete"),
    Break(directive="stall=2000,600", reason="upstream_silent_after_start"),
    Break(directive="kind=web_search; reset=terminal", reason="upstream_reset"),
]


async def test_what_the_upstream_broke_off_is_exact(tmp_path: Path) -> None:
    async with stage(tmp_path, upstream=QUICK) as on:
        for count, each in enumerate(BREAKS, start=1):
            answer = await whole_answer(on.port, on.key, body(f"[sim: {each.directive}]"))
            assert (answer.status, answer.ending) == (200, "cut"), each
            entry = (await on.settled(count))[-1]
            assert_exact(entry, on.simulator.served[-1], "retrieved")
            assert (entry.reason, entry.http_status) == (each.reason, 200)
            assert (entry.client_gone, entry.recoverable) == (False, False)
            assert entry.duration_us > 0
        ids = [one.response_id for one in on.simulator.served]
        assert asked_for(on.simulator) == ids
        keys = {one.header("authorization") for one in on.simulator.requests}
        assert keys == {"Bearer sk-upstream"}


async def test_what_ended_early_is_told_as_it_ended(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await whole_answer(on.port, on.key, body("[sim: kind=incomplete; reset=terminal]"))
        await whole_answer(on.port, on.key, body("[sim: kind=failed; when=after; reset=terminal]"))
        cut_short, failed = await on.settled(2)
        assert_exact(cut_short, on.simulator.served[0], "retrieved")
        assert_exact(failed, on.simulator.served[1], "retrieved")
        assert (cut_short.reason, failed.reason) == ("max_output_tokens", "server_error")


async def test_what_is_not_drained_is_asked_for(tmp_path: Path) -> None:
    async with (
        stage(tmp_path, drain={"seconds_max": 0.1}) as on,
        calling(on.port, on.key, body("[sim: stall=2000,600]")) as caller,
    ):
        await caller.read(2000)
        caller.leave("rst")
        (entry,) = await on.settled(1)
        assert_exact(entry, on.simulator.served[0], "retrieved")
        assert (entry.reason, entry.client_gone) == ("drain_seconds_max", True)


async def test_what_a_policy_does_not_read_on_is_asked_for(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        policies = Policies(engine=on.engine, now_us=now_us)
        policies.change(TENANT, given={"on_disconnect": "cancel"})
        async with calling(on.port, on.key, body("[sim: stall=2000,600]")) as caller:
            await caller.read(2000)
            caller.leave("rst")
            (entry,) = await on.settled(1)
        assert_exact(entry, on.simulator.served[0], "retrieved")
        assert (entry.reason, entry.client_gone) == ("on_disconnect_cancel", True)


async def test_it_is_asked_for_until_it_has_ended(tmp_path: Path) -> None:
    """Some upstreams do not show a response before it has ended, and others show it as begun."""
    async with stage(tmp_path, reconcile={"missing_seconds_max": 10}) as on:
        await whole_answer(on.port, on.key, body("[sim: reset=2000; missing=1; polls=1]"))
        await until(lambda: len(asked_for(on.simulator)) == 1)
        assert len(ledgerview.rows(on.engine, schema.hold)) == 1, "its hold stays meanwhile"
        assert on.entries() == []
        (entry,) = await on.settled(1)
        assert_exact(entry, on.simulator.served[0], "retrieved")
        assert len(asked_for(on.simulator)) == 3


@pytest.mark.parametrize(
    ("store", "asks_max", "asked"), [(None, 16, 1), (False, 16, 0), (None, 0, 0)]
)
async def test_what_cannot_be_learned_is_posted_at_the_hold(
    tmp_path: Path, *, store: bool | None, asks_max: int, asked: int
) -> None:
    async with stage(tmp_path, reconcile={"asks_max": asks_max}) as on:
        await whole_answer(on.port, on.key, body("[sim: reset=2000; missing=9]", store=store))
        (entry,) = await on.settled(1)
        assert (entry.outcome, entry.basis) == ("aborted", "worst_case")
        assert (entry.reason, entry.cost_pusd) == ("upstream_reset", entry.hold_pusd)
        assert len(asked_for(on.simulator)) == asked


async def test_a_usage_that_is_missing_is_asked_for(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        answer = await whole_answer(on.port, on.key, body("[sim: usage=null]"))
        assert answer.ending == "whole"
        (entry,) = await on.settled(1)
        assert (entry.outcome, entry.basis) == ("completed", "worst_case")
        assert entry.problem == "usage_missing"  # there too
        assert len(asked_for(on.simulator)) == 1


async def test_what_a_shutdown_cuts_is_asked_for_by_the_next(tmp_path: Path) -> None:
    async with (
        process_stage(tmp_path, GATEWAY_SHUTDOWN_SECONDS_MAX="1") as on,
        calling(on.gateway.port, on.key, body("[sim: stall=2000,600; polls=2]")) as caller,
    ):
        await caller.read(2000)
        on.gateway.signal(signal.SIGTERM)
        await caller.read()
        assert caller.ending in {"cut", "reset"}
        assert await on.gateway.exit_code() == 0
        assert (on.holds(), on.entries()) == (1, [])
        assert "Traceback" not in on.log()
        await on.start()
        (entry,) = await on.settled(1)
        assert_exact(entry, on.simulator.served[0], "retrieved")


async def test_what_a_kill_cuts_is_asked_for_by_the_next(tmp_path: Path) -> None:
    async with (
        process_stage(tmp_path) as on,
        calling(on.gateway.port, on.key, body("[sim: stall=2000,600]")) as caller,
    ):
        await caller.read(2000)
        await until(lambda: ledgerview.rows(on.engine, schema.hold)[0]["response_id"] is not None)
        on.gateway.signal(signal.SIGKILL)
        await caller.read()
        await on.start()
        (entry,) = await on.settled(1)
        assert_exact(entry, on.simulator.served[0], "retrieved")
        assert entry.reason == "gateway_lost"
