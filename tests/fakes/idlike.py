"""Every place of a request, by the pinned SDK's types, where an id can stand: with a body for it.

Read from the types, so that a parameter of a new release is tried as soon as it is pinned.
"""

import importlib
import pkgutil
import re
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, get_args, get_origin

import openai.types
import pydantic
import typing_extensions

from gateway.core.strict import Json

ID_LIKE = re.compile(r"(^|_)ids?\Z")
# Paths that no setting can open: an organisation's administration, and what is no request of ours.
NOT_SERVED = ("admin", "beta", "evals", "fine_tuning", "graders", "live", "realtime", "webhooks")


@dataclass(frozen=True)
class Place:
    """A parameter, the class and field that it is, and a body that has `value` there."""

    path: str
    owner: str
    name: str
    body: Callable[[Json], Json]


def places() -> Iterator[Place]:
    """All places in the bodies of all requests."""
    for root in sorted(_roots(), key=lambda one: (one.__module__, one.__name__)):
        yield from _in(root, root.__name__, lambda value: value, ())


def _roots() -> set[type]:
    found = set()
    for module in pkgutil.walk_packages(openai.types.__path__, "openai.types."):
        rest = module.name.removeprefix("openai.types.")
        if rest.startswith(NOT_SERVED) or "event" in rest or not rest.endswith("_params"):
            continue
        for name, one in vars(importlib.import_module(module.name)).items():
            if re.search(r"Params(Base)?\Z", name) and _is_typed(one):
                found.add(one)
    return found


def _in(
    hint: Any, path: str, body: Callable[[Json], Json], seen: tuple[Any, ...]
) -> Iterator[Place]:
    """The places at and below a type; `body` puts a value there."""
    if _is_typed(hint) and hint not in seen:
        fields = _fields(hint)
        fixed = _kind(fields.get("type"))
        for name, inner in fields.items():

            def put(value: Json, name: str = name) -> Json:
                return body({**fixed, name: value})

            yield from _named(inner, f"{path}.{name}", hint.__name__, name, put)
            yield from _in(inner, f"{path}.{name}", put, (*seen, hint))
    elif not _is_typed(hint):
        for inner in get_args(hint):
            is_list = get_origin(hint) not in (
                *_UNIONS,
                typing.Annotated,
                typing_extensions.Required,
            )
            wrapped = (lambda value: body([value])) if is_list else body
            yield from _in(inner, path + "[]" * is_list, wrapped, seen)


_UNIONS = (typing.Union, types.UnionType)


def _named(
    hint: Any, path: str, owner: str, name: str, put: Callable[[Json], Json]
) -> Iterator[Place]:
    leaves = list(_leaves(hint))
    has_text = str in leaves
    if has_text and (ID_LIKE.search(name) or any(_has_id(leaf) for leaf in leaves)):
        yield Place(path, owner, name, put)


def _leaves(hint: Any) -> Iterator[Any]:
    yield hint
    for inner in () if _is_typed(hint) else get_args(hint):
        yield from _leaves(inner)


def _has_id(hint: Any) -> bool:
    return _is_typed(hint) and set(_fields(hint)) <= {"id", "variables", "version"} | {"type"}


def _is_typed(hint: Any) -> bool:
    return typing_extensions.is_typeddict(hint) or (
        isinstance(hint, type) and issubclass(hint, pydantic.BaseModel)
    )


def _fields(hint: Any) -> dict[str, Any]:
    return typing_extensions.get_type_hints(hint)


def _kind(hint: Any) -> dict[str, Json]:
    """The `type` of an object, where it has but one."""
    values = [
        value
        for leaf in _leaves(hint)
        if get_origin(leaf) is typing.Literal
        for value in get_args(leaf)
    ]
    return {"type": values[0]} if values else {}
