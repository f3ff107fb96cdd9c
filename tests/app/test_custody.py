"""What is named in passing is the tenant's own; what an answer tells of is on record after it."""

from types import SimpleNamespace
from typing import Any

import pytest

from gateway.app.custody import Custody
from gateway.app.passing import Passed
from gateway.core.endpoints import ENDPOINTS, find
from gateway.core.ownership import IDS, Reference
from gateway.core.policy import Policy
from gateway.core.tenant import Tenant
from tests.builders import tenant

ITEM = "/v1/conversations/conv_1/items/msg_1"


class Told:
    """Owners that remember what they were asked and told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    async def check(self, named: list[Reference], owner: str) -> None:
        self.told.append(([(one.kind.value, one.id) for one in named], owner))

    async def made(self, kind: str, object_id: str, owner: str) -> None:
        self.told.append((kind, object_id, owner))

    async def gone(self, object_id: str, owner: str) -> None:
        self.told.append(("gone", object_id, owner))

    async def answered(self, ids: list[str], owner: str) -> None:
        self.told.append((*ids, owner))

    async def find(self, _: Tenant) -> Any:
        return SimpleNamespace(policy=Policy(objects=("file_shared",)))


def custody(told: Told) -> Custody:
    owners: Any = told
    return Custody(owners=owners, policies=owners)


async def checked(method: str, path: str, **fields: Any) -> list[Any]:
    told = Told()
    await custody(told).check(find(method, path.encode()), fields, tenant())
    return told.told


async def test_a_path_names_its_first_id_and_what_is_within_it_is_its_own() -> None:
    owner = tenant().path
    assert await checked("GET", "/v1/responses/resp_1") == [([("response", "resp_1")], owner)]
    assert await checked("GET", ITEM) == [([("conversation", "conv_1")], owner)]
    assert await checked("POST", "/v1/conversations", metadata={"file_id": "x"}) == []


async def test_a_body_names_too_but_not_what_the_policy_lists() -> None:
    content = [{"file_id": "file_1"}, {"file_id": "file_shared"}]
    assert await checked(
        "POST", "/v1/conversations/conv_1/items", items=[{"role": "user", "content": content}]
    ) == [([("conversation", "conv_1"), ("file", "file_1")], tenant().path)]


def test_the_first_id_of_every_path_has_an_owner() -> None:
    """A new endpoint fails here: put its id into the table, or say why nobody owns it."""
    firsts = {one.template.split("{")[1].split("}")[0] for one in ENDPOINTS if "{" in one.template}
    assert firsts - IDS.keys() <= {"model"}  # a price book's name: by policy


async def after(method: str, path: str, body: bytes, sent: bytes = b'{"items":[]}') -> list[Any]:
    told, match = Told(), find(method, path.encode())
    passed = Passed(
        request_id="1", match=match, tenant=tenant(), path=match.path, headers=[], body=sent
    )
    care = custody(told).aftercare()[match.endpoint.name]
    assert await care.act(passed, body) == body
    assert not care.is_rewriting
    return told.told


LIST = b'{"object":"list","data":[{"id":"msg_1"},{"id":"msg_2"},{"type":"x"}]}'


@pytest.mark.parametrize(
    ("method", "path", "body", "told"),
    [
        (
            "POST",
            "/v1/conversations",
            b'{"id":"conv_1"}',
            ("conversation", "conv_1", "acme/search"),
        ),
        ("DELETE", "/v1/conversations/conv_1", b"", ("gone", "conv_1", "acme/search")),
        ("POST", "/v1/conversations/conv_1/items", LIST, ("msg_1", "msg_2", "acme/search")),
        ("POST", "/v1/conversations/conv_1/items", b"no JSON", ("acme/search",)),
    ],
)
async def test_answers(method: str, path: str, body: bytes, told: Any) -> None:
    assert await after(method, path, body) == [told]


async def test_items_that_the_client_named_itself_are_not_on_record() -> None:
    path = "/v1/conversations/conv_1/items"
    sent = b'{"items":[{"id":"msg_1","content":"x"},{"content":"y"}]}'
    assert await after("POST", path, LIST, sent) == [("msg_2", "acme/search")]
    assert await after("POST", path, LIST, b'{"items":[{"id":5,"content":"x"}]}') == []


@pytest.mark.parametrize("path", ["/v1/responses/resp_1/input_items", ITEM, ITEM[:-6]])
def test_what_is_only_read_shows_what_clients_named(path: str) -> None:
    assert find("GET", path.encode()).endpoint.name not in custody(Told()).aftercare()


async def test_an_answer_without_an_id_made_nothing() -> None:
    assert await after("POST", "/v1/conversations", b'{"id":5}') == []
