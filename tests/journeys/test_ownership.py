"""Nobody names what is another's: the same 404 in every position, before and after a restart."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.adapters.database import open_engine
from gateway.simulator.server import Simulator
from tests.fakes import postgres
from tests.journeys.held import patience
from tests.journeys.stage import make_key, running, settings_for

PREFIXES = "/v1/files,/v1/vector_stores,/v1/containers"
UNKNOWN = {
    "response": "resp_00000000000000000000", "item": "msg_00000000000000000000",
    "conversation": "conv_00000000000000000000", "file": "file-00000000000000000000",
    "vector_store": "vs_00000000000000000000", "container": "cntr_00000000000000000000",
}  # fmt: skip
MADE = {"file": "files", "vector_store": "vector_stores", "container": "containers"}


@dataclass(frozen=True, kw_only=True)
class Position:
    """Where an id of a kind stands: in a path, or in a body that is posted."""

    kind: str
    method: str
    path: str
    body: Any = None  # with `ID` where the id stands

    def request(self, name: str) -> dict[str, Any]:
        body = None if self.body is None else json.dumps(self.body).replace("ID", name)
        kind = {} if body is None else {"content-type": "application/json"}
        return {
            "method": self.method,
            "url": self.path.replace("ID", name),
            "content": body,
            "headers": kind,
        }


def reading(kind: str, *requests: str) -> list[Position]:
    found = []
    for one in requests:
        method, path = one.split()
        body: Any = {"items": [], "metadata": {}} if method == "POST" else None
        found.append(Position(kind=kind, method=method, path=path, body=body))
    return found


def asking(kind: str, **fields: Any) -> list[Position]:
    """In all bodies that are read as a response's is."""
    body = {"model": "gpt-5-mini", "input": "Hello", **fields}
    paths = ["/responses", "/responses/input_tokens", "/responses/compact"]
    return [Position(kind=kind, method="POST", path=path, body=body) for path in paths]


def said(part: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [part]}]


FILE, IMAGE = {"type": "input_file", "file_id": "ID"}, {"type": "input_image", "file_id": "ID"}
OUTPUT = {"type": "function_call_output", "call_id": "c", "output": [FILE]}
SHELL = {"type": "container_auto", "file_ids": ["ID"]}
CHAT = {"model": "gpt-5-mini", "messages": said({"type": "file", "file": {"file_id": "ID"}})}
POSITIONS = [
    *reading(
        "response", "GET /responses/ID", "DELETE /responses/ID", "GET /responses/ID/input_items",
        "GET /responses/ID?stream=true&starting_after=0", "POST /responses/ID/cancel",
    ),
    *asking("response", previous_response_id="ID"),
    *asking("response", prompt_cache_options={"comparison_response_id": "ID"}),
    *reading(
        "conversation", "GET /conversations/ID", "POST /conversations/ID",
        "DELETE /conversations/ID", "GET /conversations/ID/items", "POST /conversations/ID/items",
        "GET /conversations/ID/items/msg_1", "DELETE /conversations/ID/items/msg_1",
    ),
    *asking("conversation", conversation="ID"),
    *asking("conversation", conversation={"id": "ID"}),
    *asking("item", input=[{"type": "item_reference", "id": "ID"}]),
    *asking("item", input=[{"id": "ID"}]),
    *asking("item", input=[{"type": "reasoning", "id": "ID", "summary": []}]),
    *asking("item", input=[{"type": "mcp_approval_response", "approval_request_id": "ID",
                            "approve": True}]),
    Position(kind="item", method="POST", path="/conversations", body={"items": [{"id": "ID"}]}),
    *asking("file", input=said(FILE)),
    *asking("file", input=said(IMAGE)),
    *asking("file", input=[OUTPUT]),
    *asking("file", tools=[{"type": "code_interpreter", "container": SHELL}]),
    *asking("file", tools=[{"type": "image_generation", "input_image_mask": {"file_id": "ID"}}]),
    *asking("file", prompt={"id": None, "variables": {"v": FILE}}),
    Position(kind="file", method="POST", path="/conversations", body={"items": said(FILE)}),
    Position(kind="file", method="POST", path="/chat/completions", body=CHAT),
    Position(kind="file", method="POST", path="/vector_stores", body={"file_ids": ["ID"]}),
    *reading("file", "GET /files/ID", "GET /files/ID/content", "DELETE /files/ID"),
    *asking("vector_store", tools=[{"type": "file_search", "vector_store_ids": ["ID"]}]),
    *reading("vector_store", "GET /vector_stores/ID", "POST /vector_stores/ID/search"),
    *asking("container", tools=[{"type": "code_interpreter", "container": "ID"}]),
    *asking("container", tools=[{"type": "shell", "environment":
                                 {"type": "container_reference", "container_id": "ID"}}]),
    *reading("container", "GET /containers/ID/files", "DELETE /containers/ID"),
]  # fmt: skip


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with ExitStack() as stack:
        if request.param == "postgres":
            yield stack.enter_context(postgres.database(is_empty=True))
        else:
            yield f"sqlite:///{tmp_path}/gateway.db"


@dataclass(frozen=True, kw_only=True)
class Scene:
    """An upstream and a gateway, and the keys of two tenants."""

    simulator: Simulator
    base_url: str
    ours: str
    theirs: str

    @asynccontextmanager
    async def client(self, key: str) -> AsyncIterator[httpx.AsyncClient]:
        headers = {"authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(
            base_url=self.base_url, headers=headers, trust_env=False, timeout=60
        ) as client:
            yield client

    async def made(self) -> dict[str, str]:
        """The ids of one object of each kind, all made through the gateway."""
        async with self.client(self.ours) as client:
            say = {"model": "gpt-5-mini", "input": "Hello"}
            response = (await client.post("/responses", json=say)).json()
            conversation = (await client.post("/conversations", json={})).json()
            found = {
                "response": response["id"],
                "item": response["output"][-1]["id"],
                "conversation": conversation["id"],
            }
            for kind, path in MADE.items():
                found[kind] = UNKNOWN[kind].replace("00000", "12345")
                told = json.dumps({"id": found[kind]}).encode()
                self.simulator.replay(told, method="POST", path=f"/v1/{path}")
                assert (await client.post(f"/{path}", json={})).status_code == 200
        return found


async def refused(scene: Scene, key: str, ids: dict[str, str]) -> list[tuple[int, str]]:
    """What a tenant hears in each position, less the id."""
    heard = []
    before = len(scene.simulator.requests)
    async with scene.client(key) as client:
        for one in POSITIONS:
            answer = await client.request(**one.request(ids[one.kind]))
            named = {name for name, _ in answer.headers.items()} - {"date"}
            assert named == {"content-type", "content-length", "x-gateway-request-id"}, one
            heard.append((answer.status_code, answer.text.replace(ids[one.kind], "ID")))
    assert len(scene.simulator.requests) == before  # nobody upstream was asked
    return heard


async def passed(scene: Scene, ids: dict[str, str]) -> None:
    """The maker is refused nowhere by us: deletions aside, as they would end it."""
    async with scene.client(scene.ours) as client:
        for one in POSITIONS:
            before = len(scene.simulator.requests)
            if one.method != "DELETE":
                await client.request(**one.request(ids[one.kind]))
                assert len(scene.simulator.requests) > before, one


async def seen(scene: Scene, ids: dict[str, str]) -> None:
    theirs = await refused(scene, scene.theirs, ids)
    assert {status for status, _ in theirs} == {404}
    assert theirs == await refused(scene, scene.ours, UNKNOWN)
    await passed(scene, ids)


@pytest.mark.usefixtures("anyio_backend")
async def test_what_is_anothers_is_not_there(tmp_path: Path, database_url: str) -> None:
    ids: dict[str, str] = {}
    async with patience(), Simulator(port=0) as simulator:
        settings = settings_for(
            tmp_path,
            simulator.base_url,
            database={"url": database_url},
            endpoints={"passed_prefixes": PREFIXES},
        )
        engine = open_engine(database_url)
        keys = {"ours": make_key(engine), "theirs": make_key(engine, "acme/other")}
        engine.dispose()
        for _ in range(2):  # the second knows only what the database says
            async with running(settings) as (_, port):
                base_url = f"http://127.0.0.1:{port}/v1"
                scene = Scene(simulator=simulator, base_url=base_url, **keys)
                ids = ids or await scene.made()
                await seen(scene, ids)
                await attacked(scene, ids)
        async with running(settings) as (_, port):
            base_url = f"http://127.0.0.1:{port}/v1"
            await gone(Scene(simulator=simulator, base_url=base_url, **keys), ids)


def raw(members: str) -> tuple[str, str]:
    """A body that nobody would write."""
    return "/responses", '{"model":"gpt-5-mini","input":"Hello",' + members + "}"


ATTACKS = [
    raw('"previous_response_id":"OWN","previous_response_id":"VICTIM"'),
    raw('"previous_response_id":"VICTIM","previous_response_id":"OWN"'),
    raw('"previous_response_i\\u0064":"VICTIM"'),
    raw('"previous_response_id":"ESCAPED"'),
    raw('"Previous_Response_ID":"VICTIM"'),
    raw('"previousResponseId":"VICTIM"'),
    raw('"previous_response_id":["VICTIM"]'),
    raw('"previous_response_id":{"id":"VICTIM"}'),
    raw('"previous_response_id":" VICTIM"'),
    raw('"previous_response_id":"VICTIM\\u0000"'),
    raw('"conversation":{"id":["VICTIM"]}'),
    raw('"conversation":["VICTIM"]'),
    raw('"conversation":{"ID":1,"\\uff49d":"VICTIM"}'),
    raw('"novelty":[[{"response_id":"VICTIM"}]]'),
    raw('"extra":[[{"type":"item_reference","id":"VICTIM"}]]'),
    raw('"extra":{"type":"item_reference","id":"VICTIM","content":"x"}'),
    ("/responses/CODED/cancel", "{}"),
    ("/responses/VICTIM%2f/cancel", "{}"),
    ("/responses/x%2f..%2fVICTIM/cancel", "{}"),
    ("/responses/%2e%2e/responses/VICTIM/cancel", "{}"),
    ("/responses//VICTIM/cancel", "{}"),
    ("/Responses/VICTIM/cancel", "{}"),
    ("/responses/VICTIM/cancel/", "{}"),
    ("/responses/VICTIM;x/cancel", "{}"),
    ("/responses/VICTIM%00/cancel", "{}"),
    ("/responses?previous_response_id=VICTIM", '{"model":"gpt-5-mini","input":"Hello"}'),
]


async def attacked(scene: Scene, ids: dict[str, str]) -> None:
    """However it is written, nothing of another's is asked for upstream."""
    name = ids["response"]
    async with scene.client(scene.theirs) as client:
        own = (await client.post("/responses", json={"model": "gpt-5-mini", "input": "x"})).json()
        before = len(scene.simulator.requests)
        words = {
            "OWN": own["id"],
            "ESCAPED": name.replace("r", "\\u0072", 1),
            "CODED": name.replace("r", "%72", 1),
            "VICTIM": name,
        }
        for attack in ATTACKS:
            path, body = attack
            for word, meant in words.items():
                path, body = path.replace(word, meant), body.replace(word, meant)
            kind = {"content-type": "application/json"}
            answer = await client.post(path, content=body, headers=kind)
            assert answer.status_code in {400, 404}, (path, body, answer.text)
    assert len(scene.simulator.requests) == before


async def gone(scene: Scene, ids: dict[str, str]) -> None:
    """What its maker deleted is as unknown as what was never there."""
    async with scene.client(scene.ours) as client:
        name = ids["conversation"]
        assert (await client.delete(f"/conversations/{name}")).status_code == 200
        again = await client.get(f"/conversations/{name}")
        unknown = await client.get(f"/conversations/{UNKNOWN['conversation']}")
    assert again.status_code == 404
    assert again.text.replace(name, "") == unknown.text.replace(UNKNOWN["conversation"], "")
