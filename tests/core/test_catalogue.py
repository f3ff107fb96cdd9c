"""A key is shown the models that its policy allows; what needs no change stays as it came."""

import json

import pytest

from gateway.core.catalogue import require_visible, visible
from gateway.core.errors import ModelNotFound

LISTED = b'{ "object": "list", "data": [{"id":"a", "created": 1},  {"id": "b"}, 7] }'


def test_only_what_is_allowed_is_listed() -> None:
    shown = json.loads(visible(LISTED, ("b", "c")))
    assert shown == {"object": "list", "data": [{"id": "b"}]}


@pytest.mark.parametrize(
    ("body", "models"),
    [
        (LISTED, None),
        (LISTED.replace(b", 7", b""), ("a", "b")),
        (b'{"data": {}}', ("a",)),
        (b"[]", ("a",)),
        (b"{", ("a",)),
        (b"[" * 100_000, ("a",)),
    ],
)
def test_what_needs_no_change_stays_as_it_came(body: bytes, models: tuple[str, ...] | None) -> None:
    assert visible(body, models) == body


def test_what_is_not_allowed_is_not_found() -> None:
    require_visible("a", None)
    require_visible("a", ("a",))
    with pytest.raises(ModelNotFound) as missing:
        require_visible("b", ("a",))
    assert (missing.value.status, missing.value.code) == (404, "model_not_found")
