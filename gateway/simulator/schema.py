"""Makes up one JSON value that satisfies a simple JSON schema, for structured output and arguments.

Serves what SDKs generate from classes and signatures; it is no general solver.
"""

from typing import Any

from gateway.simulator.directive import JsonObject

DEPTH_MAX = 12  # deeper lists are as short as they may be
NULL_DEPTH = 4  # deeper values are null where they may be
_STRINGS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00",
    "email": "someone@example.com",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "uri": "https://example.com/",
}


class SchemaInvalid(ValueError):
    """The schema is none, or nothing finite satisfies it."""


def instance_of(schema: JsonObject) -> Any:
    try:
        return _value(schema, schema, 0)
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError):
        raise SchemaInvalid("The simulator cannot satisfy this JSON schema.") from None


def _value(schema: JsonObject, root: JsonObject, depth: int) -> Any:
    schema = _resolved(schema, root)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for choice in ("anyOf", "oneOf", "allOf"):
        if schema.get(choice):
            return _value(_preferred(schema[choice], depth), root, depth + 1)
    kind = _type_of(schema)
    if kind == "object":
        fields = schema.get("properties") or {}
        return {name: _value(inner, root, depth + 1) for name, inner in fields.items()}
    if kind == "array":
        count = max(0 if depth >= DEPTH_MAX else 1, schema.get("minItems", 0))
        return [_value(schema.get("items") or {}, root, depth + 1) for _ in range(count)]
    return _leaf(kind, schema)


def _resolved(schema: JsonObject, root: JsonObject) -> JsonObject:
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return schema
    target: Any = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        target = target[step] if step else target
    return dict(target)


def _preferred(choices: list[JsonObject], depth: int) -> JsonObject:
    """Return the first choice, or past the depth limit a null where one is allowed."""
    nulls = [choice for choice in choices if choice.get("type") == "null"]
    return nulls[0] if nulls and depth >= NULL_DEPTH else choices[0]


def _type_of(schema: JsonObject) -> str:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    return str(kind[0] if isinstance(kind, list) else kind)


def _leaf(kind: str, schema: JsonObject) -> Any:
    if kind in {"integer", "number"}:
        least = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
        return int(least) if kind == "integer" else float(least)
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    text = _STRINGS.get(str(schema.get("format")), "simulated")
    return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength")]
