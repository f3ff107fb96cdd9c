"""Which paths are served, which are not, and that no path can be read in two ways."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import OpenAI

from gateway.core.endpoints import ENDPOINTS, find
from gateway.core.errors import NotFound

ID = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,255}", fullmatch=True)


def test_each_endpoint_is_found_by_its_path() -> None:
    for endpoint in ENDPOINTS:
        path = endpoint.template.replace("{", "").replace("}", "")
        found = find(endpoint.method, path.encode())
        assert (found.endpoint, found.path) == (endpoint, path.removeprefix("/v1"))
        assert all(name == value for name, value in found.ids.items())
        assert [f"{{{name}}}" in endpoint.template for name in found.ids] == [True] * len(found.ids)


def test_names_are_one_each() -> None:
    assert len({one.name for one in ENDPOINTS}) == len(ENDPOINTS)
    assert len({(one.method, one.template) for one in ENDPOINTS}) == len(ENDPOINTS)


@given(ID)
def test_an_id_is_decoded_and_the_path_written_anew(name: str) -> None:
    encoded = "".join(f"%{ord(letter):02x}" for letter in name)
    for said in (name, encoded):
        found = find("GET", f"/v1/responses/{said}/input_items".encode())
        assert (found.path, dict(found.ids)) == (
            f"/responses/{name}/input_items",
            {"response_id": name},
        )


@pytest.mark.parametrize(
    "piece",
    [
        "", ".", "..", "%2e%2e", "%2E", "a%2fb", "a%2Fb", "a%5cb", "%72%00", "resp_1%00", "a%20b",
        "a;b", "a%3fb", "a%23b", "%2572esp", "%zz", "%", "a+b,c", "caf%c3%a9", "-a", ":a",
        "x" * 257,
    ],
)  # fmt: skip
def test_what_is_no_id_is_no_path(piece: str) -> None:
    for path in (f"/v1/responses/{piece}", f"/v1/conversations/{piece}/items/x"):
        with pytest.raises(NotFound):
            find("GET", path.encode())


@pytest.mark.parametrize(
    "path",
    [
        "/v1/responses/", "/v1//responses", "/v1/%72esponses", "/v1/responses%2Fresp_1",
        "/v1/Responses", "/v1/responses;a", "/v1/responses/resp_1/", "/v1/x/../responses",
        "/v1/responses/..%2f..%2ffiles", "/v2/responses", "/v1/files", "/",
    ],
)  # fmt: skip
def test_a_path_that_nothing_serves_is_told_what_is_served(path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        with pytest.raises(NotFound) as refused:
            find(method, path.encode())
        assert f"{method} {path} is not served by this gateway; it serves /v1/responses, " in str(
            refused.value
        )


@pytest.mark.parametrize(
    ("method", "path", "taken"),
    [
        ("GET", "/v1/responses", "POST"),
        ("PUT", "/v1/responses/resp_1", "GET and DELETE"),
        ("GET", "/v1/responses/input_tokens", "POST"),
        ("HEAD", "/v1/conversations/conv_1", "GET and POST and DELETE"),
    ],
)
def test_a_path_that_takes_other_methods_says_which(method: str, path: str, taken: str) -> None:
    with pytest.raises(NotFound) as refused:
        find(method, path.encode())
    assert str(refused.value).endswith(f"this path takes {taken}.")


class Asked(Exception):
    """What the SDK would have sent."""


def asked(client: OpenAI, call: Any) -> tuple[str, bytes]:
    """The method and the path of a call to the SDK."""

    def note(_: object, options: Any, **__: object) -> None:
        raise Asked(options.method.upper(), client._prepare_url(options.url).raw_path)

    client.request = note  # type: ignore[method-assign,assignment]  # nothing is sent
    with pytest.raises(Asked) as sent:
        call()
    method, path = sent.value.args
    return method, path


def test_what_the_sdk_asks_for_is_served() -> None:
    client = OpenAI(api_key="k", base_url="http://gateway.test/v1")
    responses, conversations = client.responses, client.conversations
    calls = {
        "responses": lambda: responses.create(model="m", input="x"),
        "responses.compact": lambda: responses.compact(model="m"),
        "responses.input_tokens": lambda: responses.input_tokens.count(model="m"),
        "responses.retrieve": lambda: responses.retrieve("resp_1"),
        "responses.delete": lambda: responses.delete("resp_1"),
        "responses.cancel": lambda: responses.cancel("resp_1"),
        "responses.input_items": lambda: responses.input_items.list("resp_1"),
        "conversations.create": conversations.create,
        "conversations.retrieve": lambda: conversations.retrieve("conv_1"),
        "conversations.update": lambda: conversations.update("conv_1", metadata={}),
        "conversations.delete": lambda: conversations.delete("conv_1"),
        "conversations.items.create": lambda: conversations.items.create("conv_1", items=[]),
        "conversations.items.list": lambda: conversations.items.list("conv_1"),
        "conversations.items.retrieve": lambda: conversations.items.retrieve(
            "msg_1", conversation_id="conv_1"
        ),
        "conversations.items.delete": lambda: conversations.items.delete(
            "msg_1", conversation_id="conv_1"
        ),
    }
    for name, call in calls.items():
        assert find(*asked(client, call)).endpoint.name == name
