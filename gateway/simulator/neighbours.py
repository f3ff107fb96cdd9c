"""The endpoints beside the Responses API: chat completions, embeddings and moderations."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from gateway.simulator import chat
from gateway.simulator.answers import ApiError, chunked_answer, json_answer, whole_answer
from gateway.simulator.directive import JsonObject
from gateway.simulator.faults import NO_FAULTS, Faults
from gateway.simulator.oracle import Oracle, Served, served_scene
from gateway.simulator.script import Scene
from gateway.simulator.usage import usage_object
from gateway.simulator.vectors import embeddings, moderation
from gateway.simulator.wire import Answer

CHAT, EMBEDDINGS, MODERATIONS = "/v1/chat/completions", "/v1/embeddings", "/v1/moderations"
NEIGHBOURS = frozenset({CHAT, EMBEDDINGS, MODERATIONS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """`play` makes of a response's body what is to be told, and how; or an answer in its place."""

    oracle: Oracle
    make_stem: Callable[[], str]
    play: Callable[[JsonObject], tuple[Scene, Faults] | Answer]
    kept: dict[str, JsonObject] = field(default_factory=dict)  # completions to be asked for again

    def completion(self, name: str) -> Answer:
        """The answer to a GET of a completion that was to be stored."""
        if name not in self.kept:
            raise ApiError(404, f"The simulator has no completion {name!r}.")
        return json_answer(self.kept[name])

    def answer(self, path: str, body: JsonObject, request_index: int) -> Answer:
        """The answer to a POST of one of their paths."""
        if path == CHAT:
            return self._complete(body, request_index)
        if path == EMBEDDINGS:
            return self._embed(body, request_index)
        _check_input(body)
        return json_answer(moderation(body, self.make_stem()))

    def _complete(self, body: JsonObject, request_index: int) -> Answer:
        chat.check(body)
        played = self.play(chat.as_response(body))
        if isinstance(played, Answer):
            return played
        choices = body.get("n") or 1
        scene, faults = chat.counted(played[0], choices), played[1]
        served = served_scene(scene, request_index)
        index = self.oracle.generated(replace(served, response_id=chat.completion_id(scene)))
        if body.get("store") and not scene.plan.is_failure:
            self.kept[chat.completion_id(scene)] = chat.completion(scene, choices)
        if body.get("stream"):
            is_asked = bool((body.get("stream_options") or {}).get("include_usage"))
            pieces = chat.chunks(scene, choices, is_usage_asked=is_asked)
            return chunked_answer(pieces, faults, index)
        if scene.plan.is_failure:
            raise ApiError(500, scene.plan.error_message)
        return whole_answer(chat.completion(scene, choices), faults, 0, index)

    def _embed(self, body: JsonObject, request_index: int) -> Answer:
        chat.check_model(body)
        _check_input(body)
        played = self.play({"model": body["model"], "input": body["input"]})
        if isinstance(played, Answer):
            return played
        listed = embeddings(body)
        used = listed["usage"]["prompt_tokens"]
        served = Served(
            request_index=request_index,
            response_id="",
            model=body["model"],
            service_tier="default",
            usage=usage_object(input_tokens=used, output_tokens=0),
            tool_usage={},
            outcome="completed",
        )
        return whole_answer(listed, NO_FAULTS, 0, self.oracle.generated(served))


def _check_input(body: JsonObject) -> None:
    if not body.get("input"):
        raise ApiError(400, "An input is needed.", code="missing_required_parameter", param="input")
