"""`gateway demo`: real traffic through a real gateway, every bill printed and checked.

Not here: the processes (`demo_stage`) and the requests (`demo_traffic`).
"""

import importlib.util
import json
import signal
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.access import now_us
from gateway.cli.exits import CheckFailed, CommandStopped, WrongUsage

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from gateway.adapters.reports import EntryRow
    from gateway.cli.demo_stage import Stage

SETTLE_SECONDS_MAX = 15
ROUND_SECONDS = 5


def demo(
    against: Annotated[
        str | None, typer.Option(help="Only the traffic, to the gateway at this URL with /v1.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="The key for --against.")] = None,
    forever: Annotated[bool, typer.Option(help="With --against: again every few seconds.")] = False,
) -> None:
    """Show what the gateway does: traffic of three tenants, and what each request cost."""
    if importlib.util.find_spec("openai") is None:
        raise CommandStopped("the demo asks by the openai SDK: pip install responses-gateway[demo]")
    if against is None:
        with tempfile.TemporaryDirectory(prefix="gateway-demo-") as folder:
            _perform(Path(folder))
        return
    if key is None:
        raise WrongUsage("--against needs --key: a key made by `gateway keys create`")
    _ask_all(against, dict.fromkeys(_tenants(), key))
    while forever:
        time.sleep(ROUND_SECONDS)
        _ask_all(against, dict.fromkeys(_tenants(), key))


def _perform(folder: Path) -> None:
    from gateway.adapters.database import open_engine
    from gateway.cli.demo_stage import set_stage

    with set_stage(folder) as stage:
        engine = open_engine(stage.database_url)
        keys = _make_keys(engine)
        print("\nReal requests by the openai SDK, through the gateway, to a simulated upstream:\n")
        entries = _settled(engine, _ask_all(stage.gateway_url, keys))
        for entry in entries:
            _print_bill(entry)
        _print_totals(entries)
        _check(entries, stage)
        engine.dispose()
        if sys.stdin.isatty() and sys.stdout.isatty():
            _print_address(stage, keys)
            _print_next()
            _stay()
        else:
            _print_next()


def _tenants() -> list[str]:
    from gateway.cli.demo_traffic import REQUESTS

    return list(dict.fromkeys(request.tenant for request in REQUESTS))


def _make_keys(engine: "Engine") -> dict[str, str]:
    """A key for each of the demo's tenants."""
    from gateway.adapters.directory import Directory

    directory = Directory(engine=engine, now_us=now_us)
    keys = {}
    for path in _tenants():
        directory.create_tenant(path)
        keys[path] = directory.issue_key(path, name="demo").text
    return keys


def _ask_all(base_url: str, keys: dict[str, str]) -> int:
    """Make every request once; returns how many there were."""
    from openai import BadRequestError, OpenAI, OpenAIError, PermissionDeniedError, RateLimitError

    from gateway.cli.demo_traffic import REQUESTS

    clients: dict[str, OpenAI] = {
        tenant: OpenAI(base_url=base_url, api_key=key, max_retries=0)
        for tenant, key in keys.items()
    }
    for request in REQUESTS:
        try:
            answer = repr(request.ask(clients[request.tenant])[:58])
        except (BadRequestError, PermissionDeniedError, RateLimitError) as refused:
            answer = f"refused: {refused.code}"  # by a budget or a policy; the others go on
        except OpenAIError as error:
            raise CommandStopped(f"{request.title!r} at {base_url} failed: {error}") from error
        print(f"  {request.tenant:13} {request.title:26} {answer}")
    return len(REQUESTS)


def _settled(engine: "Engine", count: int) -> "list[EntryRow]":
    """The entries of all requests, oldest first; the one whose client left is drained meanwhile."""
    from gateway.adapters.reports import entries

    give_up = time.monotonic() + SETTLE_SECONDS_MAX
    while True:
        found = entries(engine, limit=count + 1)
        if len(found) == count:
            return found[::-1]
        if time.monotonic() > give_up:
            raise CheckFailed(f"{count} requests were made, and {len(found)} entries posted")
        time.sleep(0.05)


def _print_bill(entry: "EntryRow") -> None:
    from gateway.core.money import to_usd

    gone = ", client gone" if entry.client_gone else ""
    reason = f" ({entry.reason})" if entry.reason else ""
    print(
        f"\n{entry.tenant}  {entry.served_model}  {entry.service_tier}: "
        f"{entry.outcome}{reason}{gone}"
    )
    for line in entry.lines:
        unit, cost = to_usd(line.unit_price_pusd), to_usd(line.cost_pusd)
        print(f"    {line.meter:22} {line.quantity:>8} x {unit} = {cost:>18}")
    print(f"    {'cost in USD':49} {_usd(entry.cost_pusd):>18}")


def _print_totals(entries: "list[EntryRow]") -> None:
    totals: Counter[str] = Counter()
    for entry in entries:
        totals[entry.tenant] += entry.cost_pusd or 0
    print("\nTotals in USD:")
    for tenant, cost_pusd in sorted(totals.items()):
        print(f"    {tenant:49} {_usd(cost_pusd):>18}")
    print(f"    {'all':49} {_usd(totals.total()):>18}")


def _check(entries: "list[EntryRow]", stage: "Stage") -> None:
    """Compare with what the simulator counted, priced here. Raises CheckFailed."""
    recorded_pusd = sum(entry.cost_pusd or 0 for entry in entries)
    served_pusd = sum(_served_costs_pusd(stage.simulator_url))
    if recorded_pusd != served_pusd:
        raise CheckFailed(
            f"the ledger says {_usd(recorded_pusd)}, the simulator's count comes to "
            f"{_usd(served_pusd)}: this must not be"
        )
    print(f"\nThe simulator's own count comes to {_usd(served_pusd)}: equal to the picodollar.")


def _served_costs_pusd(simulator_url: str) -> list[int]:
    """What each response that the simulator generated costs by the price book."""
    from gateway.adapters.pricefile import load_prices
    from gateway.core.tool_use import tool_use_from
    from gateway.core.usage import usage_from

    book = load_prices()
    url = simulator_url.removesuffix("/v1") + "/__sim/served"
    with urllib.request.urlopen(url) as answer:  # noqa: S310 - the simulator's own address
        served = [json.loads(line) for line in answer]
    costs = []
    for one in served:
        price = book.find(one["model"], now_us())
        if price is None:
            raise CommandStopped(f"the price book has no {one['model']}")
        usage = usage_from(one["usage"])
        assert usage is not None
        tools = tool_use_from(one["tool_usage"], {}, ())
        cost = price.cost(usage=usage, tools=tools, service_tier=one["service_tier"])
        assert cost.cost_pusd is not None
        costs.append(cost.cost_pusd)
    return costs


def _print_address(stage: "Stage", keys: dict[str, str]) -> None:
    """Where the demo's gateway is: true only while it stays up."""
    tenant, key = next(iter(keys.items()))
    print(
        f"\nPoint an app at this gateway (a key of {tenant}):\n"
        f"    export OPENAI_BASE_URL={stage.gateway_url}\n"
        f"    export OPENAI_API_KEY={key}\n"
        f"\nLook at what was spent: {stage.gateway_url.removesuffix('/v1')}/console"
    )


def _print_next() -> None:
    print(
        "\nYour own, with your upstream's key:\n"
        "    GATEWAY_UPSTREAM_API_KEY=sk-… python3 gw serve\n"
        "    python3 gw tenants create acme && python3 gw keys create --tenant acme\n"
    )


def _stay() -> None:
    print("The gateway stays up; Ctrl-C ends it.")
    try:
        signal.pause()
    except KeyboardInterrupt:
        print()


def _usd(cost_pusd: int | None) -> str:
    from gateway.core.money import to_usd

    return "unknown" if cost_pusd is None else to_usd(cost_pusd)
