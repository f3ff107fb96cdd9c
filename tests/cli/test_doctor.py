"""`gateway doctor`, as an operator calls it, beside a simulator and offline."""

import asyncio

from gateway.simulator.server import Simulator
from tests.cli.commands import Gateway, Said, command

KEY = "sk-upstream-of-the-operator"
CHECKS = [
    "python",
    "configuration",
    "secrets",
    "alerts",
    "state folder",
    "database",
    "disk",
    "prices",
    "port",
    "descriptors",
    "upstream",
    "upstream key",
    "clock",
]


async def examine(base_url: str, *options: str, key: str = KEY, **environment: str) -> Said:
    """Beside the simulator of this loop, which must go on serving."""
    return await asyncio.to_thread(
        command,
        "doctor",
        *options,
        GATEWAY_UPSTREAM_BASE_URL=base_url,
        GATEWAY_UPSTREAM_API_KEY=key,
        GATEWAY_PORT="0",
        **environment,
    )


async def test_all_is_well() -> None:
    async with Simulator(api_key=KEY) as upstream:
        said = await examine(upstream.base_url, "--json")
    assert [line["check"] for line in said.json] == CHECKS
    levels = {line["check"]: line["level"] for line in said.json}
    assert "fail" not in levels.values(), said.out
    assert said.code == 0
    for line in said.json:
        assert (line["fix"] is None) == (line["level"] == "ok")
    assert KEY not in said.out + said.err


async def test_a_refused_key_fails_with_its_fix() -> None:
    async with Simulator(api_key=KEY) as upstream:
        said = await examine(upstream.base_url, key="sk-mistyped")
    assert said.code == 1
    lines = said.out.splitlines()
    (at,) = [number for number, line in enumerate(lines) if line.startswith("fail")]
    assert "upstream key" in lines[at]
    assert "→ set GATEWAY_UPSTREAM_API_KEY" in lines[at + 1]
    assert said.err == "gateway: 1 of 13 checks failed\n"
    assert "sk-mistyped" not in said.out + said.err


async def test_offline_all_else_is_told() -> None:
    said = await examine("http://127.0.0.1:9/v1", "--json")
    levels = {line["check"]: line["level"] for line in said.json}
    assert list(levels) == CHECKS[:-2]
    assert [check for check, level in levels.items() if level == "fail"] == ["upstream"]
    assert said.code == 1


def test_a_configuration_that_is_none_is_told_line_by_line() -> None:
    said = command("doctor", GATEWAY_PORT="none", GATEWAY_LIMITS_HEAD_SECONDS_MAX="0")
    assert said.code == 1
    assert said.out.count("fail  configuration") == 2
    assert "GATEWAY_PORT" in said.out


def test_it_is_explained(gateway: Gateway) -> None:
    said = gateway("doctor", "--help")
    assert "Whether a gateway can work here" in said.out
