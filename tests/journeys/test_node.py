"""The official SDK for Node.js, moved to the gateway by its base URL, sees what it saw before.

As with Python's, all is asked twice, of the simulator itself and through the gateway, and what a
program sees of both is compared.
"""

from pathlib import Path
from typing import Any

from tests.fakes.nodeclient import ran
from tests.journeys.bill import assert_all_exact
from tests.journeys.held import patience
from tests.journeys.stage import Stage, stage
from tests.journeys.test_sdk import (
    BREAKS,
    KINDS,
    MODEL,
    REFUSALS,
    addresses,
    record,
    without_ids,
)

STREAMING = {"createStream": True, "stream": True, "create": False, "parse": False}
CLASSES = {
    "status=400; code=model_not_found": "BadRequestError",
    "status=401": "AuthenticationError",
    "status=403": "PermissionDeniedError",
    "status=404": "NotFoundError",
    "status=409": "ConflictError",
    "status=422": "UnprocessableEntityError",
    "status=429": "RateLimitError",
    "status=429; code=insufficient_quota": "RateLimitError",
    "status=500": "InternalServerError",
    "status=502": "InternalServerError",
    "status=503": "InternalServerError",
}


def task(url: str, key: str, verb: str, said: str, model: str = MODEL) -> dict[str, Any]:
    return {"url": url, "key": key, "verb": verb, "said": said, "model": model}


async def both(on: Stage, asked: list[tuple[str, str]]) -> list[tuple[Any, Any]]:
    """Pairs: what each verb comes to, asked of the simulator and through the gateway."""
    results = await ran(
        [task(url, key, verb, said) for verb, said in asked for url, key in addresses(on)]
    )
    assert len(results) == 2 * len(asked)
    return list(zip(results[::2], results[1::2], strict=True))


async def test_every_verb_tells_the_same_of_every_kind(tmp_path: Path) -> None:
    async with patience(), stage(tmp_path) as on:
        asked = []
        for kind in KINDS:
            for verb, is_stream in STREAMING.items():
                said = await record(on, f"kind={kind}", is_stream=is_stream)
                asked.append((verb, said))
        for (verb, said), (direct, through) in zip(asked, await both(on, asked), strict=True):
            assert through == direct, (verb, said)
            if verb != "parse" or "kind=parsed" in said:  # else there is nothing to parse
                is_broken = STREAMING[verb] and "kind=error" in said
                assert ("value" in direct) == (not is_broken), (verb, said, direct)
        await on.settled(len(asked))


async def test_every_error_is_the_one_it_was(tmp_path: Path) -> None:
    async with patience(), stage(tmp_path) as on:
        words = [each for each in REFUSALS + BREAKS for _ in range(2)]
        verbs = ("create", "createStream") * (len(words) // 2)
        asked = [
            (verb, f"[sim: {directive}]") for verb, directive in zip(verbs, words, strict=True)
        ]
        for directive, (direct, through) in zip(words, await both(on, asked), strict=True):
            assert without_ids(through) == without_ids(direct), directive
            if directive in CLASSES:
                assert (through["error"], through["isOurs"]) == (CLASSES[directive], True)
        await on.settled(len(asked))


async def test_refusals_of_our_own_are_errors_that_it_knows(tmp_path: Path) -> None:
    async with patience(), stage(tmp_path) as on:
        wrong_key, no_price = await ran(
            [
                task(on.base_url, "gw_wrong", "create", "Hello"),
                task(on.base_url, on.key, "createStream", "Hello", "model-without-a-price"),
            ]
        )
        assert on.entries() == []
    assert (wrong_key["error"], wrong_key["status"]) == ("AuthenticationError", 401)
    assert wrong_key["code"] == "invalid_api_key"
    assert (no_price["error"], no_price["status"]) == ("BadRequestError", 400)
    assert no_price["param"] == "model"


async def test_what_it_was_told_is_what_is_billed(tmp_path: Path) -> None:
    async with patience(), stage(tmp_path) as on:
        whole, streamed = await ran(
            [
                task(on.base_url, on.key, "create", "[sim: reasoning=9]"),
                task(on.base_url, on.key, "stream", "[sim: output=70]"),
            ]
        )
        entries = await on.settled(2)
        assert_all_exact(entries, on.simulator.served)
    for response, entry in zip((whole["value"], streamed["value"][1]), entries, strict=True):
        usage = response["usage"]
        told = usage["input_tokens"], usage["output_tokens"]
        assert (response["id"], told) == (
            entry.response_id,
            (entry.input_tokens, entry.output_tokens),
        )
