"""Paths and keys."""

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import tenant

ID = "AbCdEf012345"
SECRET = "s" * 43
SEGMENT = st.from_regex(r"\A[a-z0-9][a-z0-9._-]{0,62}\Z")
PATH = st.lists(SEGMENT, min_size=1, max_size=3).map("/".join)
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def key() -> str:
    return tenant.key_text(ID, SECRET)


@given(path=PATH)
def test_a_path_is_itself_and_its_ancestry_ends_with_it(path: str) -> None:
    assert tenant.tenant_path(path) == path
    levels = tenant.ancestry(path)
    assert levels[-1] == path
    assert all(below.startswith(f"{above}/") for above, below in pairwise(levels))


@pytest.mark.parametrize(
    "path", ["", "/", "a/", "/a", "a//b", "A", "ä", "-a", "a b", "a\n", "a" * 64, "a/../b"]
)
def test_what_is_no_path_is_refused_by_name(path: str) -> None:
    with pytest.raises(ValueError, match="is no tenant name"):
        tenant.tenant_path(path)


@pytest.mark.parametrize("path", ["/".join("abcdefghi"), "/".join(["a" * 63] * 5)])
def test_a_path_has_a_limit(path: str) -> None:
    with pytest.raises(ValueError, match="at most 8 levels and 255 characters"):
        tenant.tenant_path(path)


def test_a_key_presents_its_id_and_the_digest_of_the_whole() -> None:
    presented = tenant.present(key())
    assert presented is not None
    assert presented.id == ID
    assert presented.digest == hashlib.sha256(key().encode()).digest()


@given(at=st.integers(0, 64), character=st.sampled_from(BASE62 + "_"))
def test_a_typing_mistake_is_no_key(at: int, character: str) -> None:
    typed = key()[:at] + character + key()[at + 1 :]
    assert (tenant.present(typed) is not None) == (typed == key())


@given(text=st.text())
def test_any_text_can_be_looked_at(text: str) -> None:
    assert tenant.present(text) is None


@pytest.mark.parametrize(
    "text", [key() + "\n", " " + key(), key()[:-1], key() + "0", "sk-" + key()]
)
def test_more_or_less_than_a_key_is_none(text: str) -> None:
    assert tenant.present(text) is None


@given(number=st.integers(0, 62**6 - 1))
def test_base62_keeps_the_number(number: int) -> None:
    text = tenant.base62(number, 6)
    value = 0
    for character in text:
        value = value * 62 + BASE62.index(character)
    assert (len(text), value) == (6, number)
