"""Prices over HTTP: what is in force, what was said, and by whom."""

from typing import Any

import pytest

from tests.app.admin.scene import Scene

MODEL = "gpt-5-mini"


async def test_the_book_comes_page_by_page(on: Scene) -> None:
    whole = (await on.read("/prices?limit=1000"))["data"]
    names = [card["model"] for card in whole]
    assert MODEL in names
    first = await on.read("/prices?limit=2")
    second = await on.read(f"/prices?limit=2&after={first['next']}")
    assert first["data"] + second["data"] == whole[:4]


async def test_one_is_shown_with_those_of_before_and_to_come(on: Scene) -> None:
    said = {"usd_per_million": {"input": "1", "output": "2"}, "from": "2099-01-01T00:00:00Z"}
    told = await on.ask("PUT", f"/prices/{MODEL}", json={**said, "note": "contract"})
    assert told.status_code == 200, told.text
    assert (told.json()["by"], told.json()["note"]) == ("the operator's token", "contract")
    shown = await on.read(f"/prices/{MODEL}")
    assert shown["usd_per_token"]["default"]["short"]["input"] == "0.000000250000"
    (other,) = shown["others"]
    assert other["usd_per_token"]["default"]["short"]["input"] == "0.000001000000"
    assert (other["layer"], other["effective_from"]) == ("database", "2099-01-01T00:00:00.000000Z")

    unset = await on.ask("DELETE", f"/prices/{MODEL}?note=over")
    assert unset.json()["default_tier"] == "unset"
    history = (await on.read(f"/price-overrides?model={MODEL}"))["data"]
    assert [one["default_tier"] for one in history] == ["input 1, output 2", "unset"]
    assert (await on.read("/price-overrides?model=o3"))["data"] == []
    document = history[0]["document"]
    again = await on.ask("PUT", f"/prices/{MODEL}", json={"document": document})
    assert again.json()["document"] == document


async def test_an_unknown_model_is_told(on: Scene) -> None:
    told = await on.ask("GET", "/prices/none")
    assert (told.status_code, told.json()["detail"]) == (404, "No price is known for 'none'.")


@pytest.mark.parametrize(
    ("given", "status", "why"),
    [
        ({}, 400, "Give usd_per_million, or a whole document"),
        ({"usd_per_million": {"input": "1"}, "document": {}}, 400, "or a whole document"),
        ({"usd_per_million": {"input": "1"}}, 400, "has output too"),
        ({"usd_per_million": {"input": 1, "output": 2}}, 422, "valid string"),
        ({"usd_per_million": {"inputs": "1"}}, 422, "body.usd_per_million"),
        ({"usd_per_million": {"input": "20000", "output": "2"}}, 400, "more than 10000"),
        ({"document": {"models": {}}}, 400, ""),
        (
            {"usd_per_million": {"input": "1", "output": "2"}, "to": "2020-01-01T00:00:00Z"},
            400,
            "end before it begins",
        ),
    ],
)
async def test_mistakes_are_told(on: Scene, given: dict[str, Any], status: int, why: str) -> None:
    told = await on.ask("PUT", f"/prices/{MODEL}", json=given)
    assert (told.status_code, why in told.json()["detail"]) == (status, True), told.text
