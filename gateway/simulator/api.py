"""The API's endpoints: a received request becomes an answer, and what it costs is counted.

No sockets here: `server` receives and sends.
"""

import json
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.simulator.answers import (
    MODEL_MISSING,
    ApiError,
    error_answer,
    json_answer,
    live_answer,
    stream_answer,
    whole_answer,
)
from gateway.simulator.conversations import Conversations
from gateway.simulator.directive import DirectiveInvalid, JsonObject, find_directive, read_words
from gateway.simulator.faults import Faults, make_faults
from gateway.simulator.http import Received
from gateway.simulator.ids import Ids
from gateway.simulator.listing import input_items
from gateway.simulator.neighbours import CHAT, NEIGHBOURS, Neighbours
from gateway.simulator.oracle import Oracle, served_scene
from gateway.simulator.plan import make_plan
from gateway.simulator.replay import Replays
from gateway.simulator.schema import SchemaInvalid
from gateway.simulator.script import Scene, final_response, first_response, make_scene, tell
from gateway.simulator.stored import Shelf
from gateway.simulator.usage import PrefixCache, input_tokens_of
from gateway.simulator.wire import Answer

MODELS = (
    "gpt-6-sol", "gpt-5.6", "gpt-5.4", "gpt-5-mini", "gpt-4.1", "gpt-4o", "gpt-4o-mini",
    "text-embedding-3-small", "omni-moderation-latest",
)  # fmt: skip
SHAPES: dict[str, type] = {
    "include": list,
    "max_tool_calls": int,
    "metadata": dict,
    "reasoning": dict,
    "stream_options": dict,
    "text": dict,
    "tools": list,
}
OUTPUT_TOKENS_MIN = 16
STEM_BYTES = 25
RESPONSES = "/v1/responses"
CONVERSATIONS = "/v1/conversations"


@dataclass(slots=True, kw_only=True)
class Api:
    oracle: Oracle
    replays: Replays
    api_key: str | None = None
    clock: Callable[[], float] = time.time
    make_stem: Callable[[], str] = lambda: secrets.token_hex(STEM_BYTES)
    _cache: PrefixCache = field(default_factory=PrefixCache)
    _refusals: Counter[str] = field(default_factory=Counter)
    _shelf: Shelf = field(init=False)
    _conversations: Conversations = field(init=False)
    _neighbours: Neighbours = field(init=False)

    def __post_init__(self) -> None:
        self._shelf = Shelf(self.clock)
        self._conversations = Conversations(clock=self.clock, make_stem=self.make_stem)
        self._neighbours = Neighbours(
            oracle=self.oracle, make_stem=self.make_stem, play=self._played
        )

    def answer(self, received: Received, request_index: int) -> Answer:
        try:
            replayed = self.replays.next(received)
            return replayed or self._routed(received, request_index)
        except ApiError as error:
            return error_answer(error)
        except DirectiveInvalid as error:
            return error_answer(ApiError(400, str(error), code="directive_invalid"))
        except SchemaInvalid as error:
            return error_answer(ApiError(400, str(error), code="invalid_json_schema"))

    def _routed(self, received: Received, request_index: int) -> Answer:
        self._authenticate(received)
        route = received.method, received.path
        if route == ("POST", RESPONSES):
            return self._create(_body_of(received), request_index)
        if received.method == "GET" and received.path.startswith(f"{CHAT}/"):
            return self._neighbours.completion(received.path.removeprefix(f"{CHAT}/"))
        if received.method == "POST" and received.path in NEIGHBOURS:
            return self._neighbours.answer(received.path, _body_of(received), request_index)
        if route == ("POST", f"{RESPONSES}/input_tokens"):
            count = input_tokens_of(_body_of(received))
            return json_answer({"object": "response.input_tokens", "input_tokens": count})
        if route == ("POST", f"{RESPONSES}/compact"):
            return self._compact(_body_of(received), request_index)
        if route == ("GET", "/v1/models"):
            return json_answer({"object": "list", "data": [_model(name) for name in MODELS]})
        if received.method == "GET" and received.path.startswith("/v1/models/"):
            return _one_model(received.path.rpartition("/")[2])
        if received.path.startswith(f"{RESPONSES}/"):
            name, _, action = received.path.removeprefix(f"{RESPONSES}/").partition("/")
            return self._shelf.answer(received, name, action)
        if f"{received.path}/".startswith(f"{CONVERSATIONS}/"):
            given = _body_of(received) if received.body else {}
            return self._conversations.answer(received, given)
        raise ApiError(404, f"There is nothing at {received.method} {received.path}")

    def _authenticate(self, received: Received) -> None:
        given = received.header("authorization")
        expected = f"Bearer {self.api_key}"
        if self.api_key is not None and not secrets.compare_digest(given, expected):
            raise ApiError(401, "This API key is not the simulator's.")

    def _create(self, body: JsonObject, request_index: int) -> Answer:
        _check(body)
        played = self._played(body)
        if isinstance(played, Answer):
            return played
        return self._answer_scene(*played, request_index)

    def _compact(self, body: JsonObject, request_index: int) -> Answer:
        _check(body)
        played = self._played(body, kind="compaction")
        if isinstance(played, Answer):
            return played
        scene, faults = played
        index = self.oracle.generated(served_scene(scene, request_index))
        final = final_response(scene)
        kept = [one for one in input_items(body, scene.ids) if one.get("role") == "user"]
        compacted = {
            "id": final["id"],
            "object": "response.compaction",
            "created_at": final["created_at"],
            "output": [*kept, *(one for one in final["output"] if one["type"] == "compaction")],
            "usage": scene.usage,
        }
        return whole_answer(compacted, faults, 0, index)

    def _played(self, body: JsonObject, **usual: str) -> tuple[Scene, Faults] | Answer:
        """What is to be told, and how; or the answer that was asked for in its place."""
        directive = find_directive(body)
        words = {**usual, **read_words(directive)}
        faults = make_faults(words)
        if faults.status != 200 and self._is_refused(directive, faults):  # noqa: PLR2004 - success
            error = ApiError(
                faults.status, "The simulator was asked to fail.", code=words.get("code")
            )
            return error_answer(error, faults)
        plan = make_plan(body, words)
        if plan.replay:
            return self.replays.named(plan.replay, faults)
        scene = make_scene(
            body,
            plan,
            ids=Ids(stem=self.make_stem()),
            created_at=int(self.clock()),
            cache=self._cache,
            hidden_tokens=self._hidden_tokens(body),
        )
        return scene, faults

    def _answer_scene(self, scene: Scene, faults: Faults, request_index: int) -> Answer:
        index = self.oracle.generated(served_scene(scene, request_index))
        self._conversations.gather(scene)
        is_background = bool(scene.body.get("background"))
        stored = None if scene.body.get("store") is False else self._shelf.keep(scene)
        if scene.body.get("stream"):
            if stored is not None and scene.plan.takes_seconds:
                return live_answer(stored.live(), faults, index)
            return stream_answer(tell(scene), faults, scene.plan.huge_mib, index)
        if is_background:
            return whole_answer(first_response(scene, "queued"), faults, 0, index)
        return whole_answer(final_response(scene), faults, scene.plan.huge_mib, index)

    def _is_refused(self, directive: str, faults: Faults) -> bool:
        self._refusals[directive] += 1
        return not faults.refusals_max or self._refusals[directive] <= faults.refusals_max

    def _hidden_tokens(self, body: JsonObject) -> int:
        conversation = self._conversations.find(body.get("conversation"))
        if conversation is not None:
            return conversation.tokens
        before = body.get("previous_response_id")
        if before is None:
            return 0
        stored = self._shelf.find(str(before))
        if stored is None:
            message = f"The simulator has no response {before!r}."
            raise ApiError(
                400, message, code="previous_response_not_found", param="previous_response_id"
            )
        usage = stored.scene.usage
        total = usage.get("total_tokens") if isinstance(usage, dict) else 0
        return total if isinstance(total, int) else 0


def _body_of(received: Received) -> JsonObject:
    try:
        body = json.loads(received.body)
    except ValueError:
        raise ApiError(400, "The body is not JSON.") from None
    if not isinstance(body, dict):
        raise ApiError(400, "The body is not a JSON object.")
    return body


def _check(body: JsonObject) -> None:
    model = body.get("model")
    if not isinstance(model, str):
        raise ApiError(400, "A model is needed.", code="missing_required_parameter", param="model")
    if model == MODEL_MISSING:
        message = f"There is no model {model!r}."
        raise ApiError(400, message, code="model_not_found", param="model")
    if body.get("input") is None and body.get("prompt") is None:
        raise ApiError(400, "An input is needed.", code="missing_required_parameter", param="input")
    for name, shape in SHAPES.items():
        if not isinstance(body.get(name), shape | None):
            raise ApiError(400, f"{name} is of the wrong type.", code="invalid_type", param=name)
    if not all(isinstance(tool, dict) for tool in body.get("tools") or []):
        raise ApiError(400, "A tool is not an object.", code="invalid_type", param="tools")
    if body.get("background") and body.get("store") is False:
        raise ApiError(400, "Background responses have to be stored.", param="background")
    limit = body.get("max_output_tokens")
    if limit is None:
        return
    if not isinstance(limit, int) or limit < OUTPUT_TOKENS_MIN:
        message = f"max_output_tokens is a whole number of at least {OUTPUT_TOKENS_MIN}."
        raise ApiError(400, message, code="integer_below_min_value", param="max_output_tokens")


def _one_model(name: str) -> Answer:
    if name == MODEL_MISSING:
        raise ApiError(404, f"There is no model {name!r}.", code="model_not_found", param="model")
    return json_answer(_model(name))


def _model(name: str) -> JsonObject:
    return {"id": name, "object": "model", "created": 1767225600, "owned_by": "simulator"}
