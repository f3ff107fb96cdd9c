"""Values that satisfy the schemas that SDKs send."""

from enum import Enum

import pytest
from pydantic import BaseModel, Field

from gateway.simulator.schema import SchemaInvalid, instance_of


class Colour(Enum):
    RED = "red"


class Leaf(BaseModel):
    size: int = Field(ge=3)
    weight: float | None
    is_green: bool
    note: str = Field(min_length=12)


class Tree(BaseModel):
    colour: Colour
    leaves: list[Leaf] = Field(min_length=1)
    child: "Tree | None"


def test_a_model_s_own_schema_is_satisfied() -> None:
    found = Tree.model_validate(instance_of(Tree.model_json_schema()))
    assert found.colour is Colour.RED
    assert found.leaves[0].size == 3


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"const": 4}, 4),
        ({"type": ["string", "null"]}, "simulated"),
        ({"type": "null"}, None),
        ({"type": "number", "exclusiveMinimum": 2}, 3.0),
        ({"type": "string", "format": "date"}, "2026-01-31"),
        ({"type": "string", "maxLength": 3}, "sim"),
        ({"oneOf": [{"type": "boolean"}]}, True),
    ],
)
def test_single_values(schema: dict[str, object], value: object) -> None:
    assert instance_of(schema) == value


def test_an_endless_list_ends() -> None:
    schema = {"type": "object", "properties": {"more": {"type": "array", "items": {"$ref": "#"}}}}
    assert "more" in instance_of(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/nowhere"},
        {"anyOf": [{"$ref": "#"}]},
        {"properties": [1]},
        {"enum": {"a": 1}},
        {"anyOf": [4]},
    ],
)
def test_a_schema_that_nothing_satisfies_is_refused(schema: dict[str, object]) -> None:
    with pytest.raises(SchemaInvalid):
        instance_of(schema)
