"""Programs that are written with frameworks, and an agent, unchanged but for the address.

What each sees through the gateway is what it sees of the simulator itself, and what it costs is
what the simulator served. `.ci/run` installs and drives them; they are half a gigabyte.
"""

import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.budgets import Budgets
from gateway.adapters.reports import EntryRow
from gateway.core.money import PUSD_PER_USD
from tests.fakes.programs import ran_codex, ran_node, ran_python
from tests.journeys.bill import assert_all_exact
from tests.journeys.stage import TENANT, Stage, now_us

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(
        os.environ.get("GATEWAY_TEST_ALL") != "1",
        reason="`.ci/run` installs these clients (GATEWAY_TEST_ALL=1)",
    ),
]

SAID = (
    "Every byte that arrives is passed on at once, and only when the last event has gone by is "
    "its usage read, priced and"
)
READ = 'Read with exec_command. [sim: kind=function_call; arguments={"cmd":"cat next.txt"}]'
WRITE = (
    "Now write with exec_command. "
    '[sim: kind=function_call; arguments={"cmd":"echo done > made.txt && cat last.txt"}]'
)

# Its search has no bound, which a hard budget wants.
SETTINGS = 'model = "gpt-5-mini"\nweb_search = "disabled"\n'

Program = Callable[[str, str], Awaitable[Any]]


@pytest.fixture(scope="module")
async def on(shared_stage: Stage) -> AsyncIterator[Stage]:
    """A tenant with a hard budget, which in the end is what its entries cost."""
    budgets = Budgets(engine=shared_stage.engine, now_us=now_us)
    budgets.set_budget(TENANT, period="total", given={"limit_pusd": 50 * PUSD_PER_USD})
    yield shared_stage
    (standing,) = budgets.list_budgets()
    spent_pusd = sum(entry.cost_pusd or 0 for entry in shared_stage.entries())
    assert (standing.account.spent_pusd, standing.account.held_pusd) == (spent_pusd, 0)


async def seen(on: Stage, program: Program) -> tuple[Any, list[EntryRow]]:
    """What a program tells of the gateway and of the simulator alike, and its exact entries."""
    direct = await program(on.simulator.base_url, "sk-direct")
    entries, served = len(on.entries()), len(on.simulator.served)
    through = await program(on.base_url, on.key)
    assert through == direct
    billed = on.simulator.served[served:]
    found = (await on.settled(entries + len(billed)))[entries:]
    assert_all_exact(found, billed)
    return through, found


async def test_the_agents_sdk(on: Stage) -> None:
    told, entries = await seen(on, lambda url, key: ran_python("agents_sdk", url, key))
    assert told["items"] == ["tool_call_item", "tool_call_output_item", "message_output_item"]
    assert told["outputs"] == [SAID, SAID, "Every byte that arrives is"]
    assert told["agents"] == ["Triage", "Billing", "Billing"]
    assert told["events"].count("response.completed") == 2
    assert told["remembered"].count("function_call") == 2
    assert (told["requests"], told["output_tokens"]) == (1, entries[-1].output_tokens)
    assert [entry.tags for entry in entries] == [{"gw_agent": "Agents/Python"}] * 5


async def test_langchain(on: Stage) -> None:
    told, entries = await seen(on, lambda url, key: ran_python("langchain_app", url, key))
    whole, streamed, _, answered, _ = entries
    tokens = [entry.output_tokens for entry in (whole, streamed, answered)]
    assert (told["output_tokens"], tokens[:2]) == (tokens, [9, 11])
    assert told["texts"][2] == SAID
    assert told["chunks"] > 11
    assert (told["call"], told["parsed"]) == (
        ["multiply", {"a": 1, "b": 1}],
        {"answer": "simulated"},
    )


async def test_pydantic_ai(on: Stage) -> None:
    told, entries = await seen(on, lambda url, key: ran_python("pydantic_app", url, key))
    assert told["called"] == SAID
    assert told["parts"] == [["user-prompt"], ["tool-call"], ["tool-return"], ["text"]]
    assert (told["pieces"], entries[2].output_tokens) == (13, 13)
    assert told["typed"] == {"name": "simulated", "people": 1}
    output_tokens = sum(entry.output_tokens or 0 for entry in entries[:2])
    assert told["tokens"] == [2, output_tokens]
    assert [entry.tags for entry in entries] == [{"gw_agent": "pydantic-ai"}] * 4


async def test_the_vercel_ai_sdk(on: Stage) -> None:
    told, entries = await seen(on, lambda url, key: ran_node("vercel", url, key))
    assert (told["output"], told["streamed"]) == ({"answer": "simulated"}, SAID)
    calling, answering = entries[2:]
    assert told["steps"] == [
        ["tool-calls", ["getWeather"], calling.output_tokens],
        ["stop", [], answering.output_tokens],
    ]
    assert told["parts"].count("tool-result") == 1
    assert told["parts"].count("text-delta") == answering.output_tokens


def custom_provider(url: str) -> str:
    return (
        f'{SETTINGS}model_provider = "gateway"\n'
        f'[model_providers.gateway]\nname = "Gateway"\nbase_url = "{url}"\n'
        'env_key = "OPENAI_API_KEY"\nwire_api = "responses"\n'
    )


def builtin_provider(url: str) -> str:
    return f'{SETTINGS}openai_base_url = "{url}"\n'


async def codex_task(folder: Path, config: str, key: str) -> list[Any]:
    """A task of three turns with two commands, and one more turn in the same session."""
    home, task = folder / "home", folder / "task"
    home.mkdir()
    task.mkdir()
    (home / "config.toml").write_text(config)
    (task / "next.txt").write_text(WRITE)
    (task / "last.txt").write_text("All is written. [sim: output=12]")
    env = {"CODEX_HOME": str(home), "HOME": str(home), "OPENAI_API_KEY": key, "CODEX_API_KEY": key}
    told = await ran_codex((READ,), folder=task, env=env)
    told += await ran_codex(
        ("resume", "--last", "Once more. [sim: kind=text]"), folder=task, env=env
    )
    assert (task / "made.txt").read_text() == "done\n"
    return told


async def upgrades_refused(on: Stage) -> float:
    async with on.client() as client:
        metrics = (await client.get(f"http://127.0.0.1:{on.port}/metrics")).text
    found = re.search(
        r'^gateway_http_requests_total\{.*status="426"\} (\S+)', metrics, re.MULTILINE
    )
    return float(found[1]) if found else 0


@pytest.mark.parametrize(("config", "upgrades"), [(custom_provider, 0), (builtin_provider, 2)])
async def test_codex(
    on: Stage, tmp_path: Path, config: Callable[[str], str], upgrades: int
) -> None:
    entries, served = len(on.entries()), len(on.simulator.served)
    refused = await upgrades_refused(on)
    events = await codex_task(tmp_path, config(on.base_url), on.key)
    assert [event["type"] for event in events].count("turn.completed") == 2
    done = [event["item"] for event in events if event["type"] == "item.completed"]
    assert [item["exit_code"] for item in done if item["type"] == "command_execution"] == [0, 0]
    texts = [item["text"] for item in done if item["type"] == "agent_message"]
    assert texts == ["Every byte that arrives is passed on at once, and only when", SAID]
    usage = [event["usage"] for event in events if event["type"] == "turn.completed"][-1]
    billed = on.simulator.served[served:]
    found = (await on.settled(entries + 4))[entries:]
    assert_all_exact(found, billed)
    # It adds up its session, which is told apart by its id.
    assert usage["input_tokens"] == sum(entry.input_tokens or 0 for entry in found)
    assert usage["output_tokens"] == sum(entry.output_tokens or 0 for entry in found)
    session = events[0]["thread_id"]
    assert {entry.tags["gw_session"] for entry in found} == {session}
    assert {entry.tags["gw_agent"] for entry in found} == {"codex_exec"}
    # With its own provider it first tries a WebSocket, in each of its two runs.
    assert await upgrades_refused(on) == refused + upgrades
