"""Manners of a policy: how often a request is sent, and what follows when its client leaves."""

from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.policies import Policies
from gateway.app import relay
from tests.journeys.bill import assert_all_exact
from tests.journeys.caller import calling
from tests.journeys.stage import TENANT, Stage, body, now_us, stage, until


def set_policy(on: Stage, **given: Any) -> None:
    Policies(engine=on.engine, now_us=now_us).change(TENANT, given=given)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "BACKOFF_SECONDS", 0.01)


@pytest.mark.parametrize("status", [429, 503])
async def test_who_is_turned_away_comes_again_with_the_same_hold(
    tmp_path: Path, status: int
) -> None:
    async with stage(tmp_path) as on:
        set_policy(on, attempts_max=3)
        answer = await on.post(body(f"[sim: status={status}; times=2]"))
        assert answer.status_code == 200
        assert len(on.simulator.requests) == 3
        assert_all_exact(await on.settled(1), on.simulator.served)


@pytest.mark.parametrize(("status", "times"), [(503, 9), (500, 1), (400, 1)])
async def test_the_last_answer_stands_and_others_are_never_repeated(
    tmp_path: Path, status: int, times: int
) -> None:
    async with stage(tmp_path) as on:
        set_policy(on, attempts_max=2)
        answer = await on.post(body(f"[sim: status={status}; times={times}]"))
        assert answer.status_code == status
        assert len(on.simulator.requests) == (2 if status == 503 else 1)
        (entry,) = await on.settled(1)
        assert (entry.outcome, entry.cost_pusd) == ("failed", 0)


async def test_without_a_policy_a_request_is_sent_once(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        assert (await on.post(body("[sim: status=503; times=1]"))).status_code == 503
        assert len(on.simulator.requests) == 1


async def test_by_policy_an_answer_is_not_read_on_for_who_left(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        set_policy(on, on_disconnect="cancel")
        async with calling(on.port, on.key, body("[sim: stall=900,2]")) as caller:
            await caller.read(900)
            caller.leave("rst")
        (entry,) = await on.settled(1)
        assert (entry.outcome, entry.basis) == ("aborted", "worst_case")
        assert (entry.reason, entry.client_gone) == ("on_disconnect_cancel", True)
        await until(lambda: on.simulator.open_count == 0)
