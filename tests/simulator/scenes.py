"""Scenes and their events, with fixed ids, for the tests of the pure parts."""

from typing import Any

from gateway.simulator.directive import find_directive, read_words
from gateway.simulator.ids import Ids
from gateway.simulator.plan import make_plan
from gateway.simulator.script import Scene, make_scene, tell
from gateway.simulator.usage import PrefixCache

IDS = Ids(stem="0123456789" * 5)


def scene(directive: str = "", /, **body: object) -> Scene:
    asked = {"model": "gpt-5.6", "input": f"[sim: {directive}]", **body}
    plan = make_plan(asked, read_words(find_directive(asked)))
    return make_scene(asked, plan, ids=IDS, created_at=1_790_000_000, cache=PrefixCache())


def events(directive: str = "", /, **body: object) -> list[dict[str, Any]]:
    return list(tell(scene(directive, **body)))


def types(told: list[dict[str, Any]]) -> list[str]:
    """Return the events' types without their common prefix, runs of deltas as one."""
    names = [str(event["type"]).removeprefix("response.") for event in told]
    return [
        name
        for number, name in enumerate(names)
        if not (name.endswith("delta") and number and names[number - 1] == name)
    ]
