"""Conversations: made, read, changed and deleted, and the items that they gather.

A response that names one puts there what it was given and what it said. Not here: responses.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from gateway.simulator.answers import ApiError, json_answer
from gateway.simulator.directive import JsonObject
from gateway.simulator.http import Received
from gateway.simulator.ids import Ids
from gateway.simulator.listing import input_items, listed
from gateway.simulator.script import Scene, final_response
from gateway.simulator.wire import Answer


@dataclass(slots=True, kw_only=True)
class Conversation:
    created_at: int  # Unix seconds
    metadata: JsonObject
    items: list[JsonObject] = field(default_factory=list)  # oldest first
    tokens: int = 0  # of its responses so far


@dataclass(slots=True, kw_only=True)
class Conversations:
    """All of them, by their ids."""

    clock: Callable[[], float]
    make_stem: Callable[[], str]
    _all: dict[str, Conversation] = field(default_factory=dict)

    def find(self, named: object) -> Conversation | None:
        """The one that a request names; None where it names none."""
        if named is None:
            return None
        return self._found(str(named["id"] if isinstance(named, dict) else named))

    def gather(self, scene: Scene) -> None:
        """Put into its conversation what a response was given and what it said."""
        conversation = self.find(scene.body.get("conversation"))
        if conversation is None:
            return
        conversation.items += input_items(scene.body, scene.ids)
        conversation.items += final_response(scene)["output"]
        usage = scene.usage
        conversation.tokens += int(usage["total_tokens"]) if isinstance(usage, dict) else 0

    def answer(self, received: Received, body: JsonObject) -> Answer:
        """Answer a request below `/v1/conversations`."""
        name, _, rest = received.path.removeprefix("/v1/conversations").strip("/").partition("/")
        if not name and received.method == "POST":
            return self._create(body)
        conversation = self._found(name)
        if rest.partition("/")[0] == "items":
            return self._items(received, name, conversation, body)
        if rest:
            raise ApiError(404, f"There is nothing at {received.method} {received.path}")
        return self._one(received, name, conversation, body)

    def _create(self, body: JsonObject) -> Answer:
        ids = Ids(stem=self.make_stem())
        name = f"conv_{ids.stem}"
        self._all[name] = Conversation(
            created_at=int(self.clock()),
            metadata=body.get("metadata") or {},
            items=input_items({"input": body.get("items") or []}, ids),
        )
        return json_answer(_shown(name, self._all[name]))

    def _one(
        self, received: Received, name: str, conversation: Conversation, body: JsonObject
    ) -> Answer:
        if received.method == "DELETE":
            del self._all[name]
            return json_answer({"id": name, "object": "conversation.deleted", "deleted": True})
        if received.method == "POST":
            conversation.metadata = body.get("metadata") or {}
        return json_answer(_shown(name, conversation))

    def _items(
        self, received: Received, name: str, conversation: Conversation, body: JsonObject
    ) -> Answer:
        item_id = received.path.partition("/items")[2].strip("/")
        if not item_id and received.method == "POST":
            ids = Ids(stem=self.make_stem())
            added = input_items({"input": body.get("items") or []}, ids)
            conversation.items += added
            return json_answer(listed(added, {"order": ["asc"]}))
        if not item_id:
            return json_answer(listed(conversation.items, parse_qs(received.query)))
        item = next((one for one in conversation.items if one["id"] == item_id), None)
        if item is None:
            raise ApiError(404, f"Item with id '{item_id}' not found.")
        if received.method == "DELETE":
            conversation.items.remove(item)
            return json_answer(_shown(name, conversation))
        return json_answer(item)

    def _found(self, name: str) -> Conversation:
        if name not in self._all:
            raise ApiError(404, f"Conversation with id '{name}' not found.")
        return self._all[name]


def _shown(name: str, conversation: Conversation) -> JsonObject:
    return {
        "id": name,
        "object": "conversation",
        "created_at": conversation.created_at,
        "metadata": conversation.metadata,
    }
