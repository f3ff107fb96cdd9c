"""Every id that a request can name is found, wherever it stands; the client's own words are not."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.core.errors import InvalidRequest
from gateway.core.ownership import (
    ID_CHARACTERS_MAX,
    REFERENCES_MAX,
    Kind,
    Reference,
    not_found,
    path_reference,
    references,
    refuse_unknown_ids,
    unlisted,
)
from gateway.core.strict import Json
from tests.fakes.idlike import Place, places

CALLS = "joins an output to its call, within one request"
CITED = "a citation: what the model wrote of its sources"
TEXT = "a text here is no id"
# Places that can hold an id, or a text instead of an object with one, and are not looked up by it.
REVIEWED = {
    "call_id": CALLS,
    "tool_call_id": CALLS,
    "caller_id": CALLS,
    "BackgroundOptions.continuation_id": "the customer's own word, adds nothing to the input",
    "AnnotationContainerFileCitation.container_id": CITED,
    "AnnotationContainerFileCitation.file_id": CITED,
    "AnnotationFileCitation.file_id": CITED,
    "AnnotationFilePath.file_id": CITED,
    "Result.file_id": CITED,
    "PendingSafetyCheck.id": "the name of a warning, without a content",
    "ComputerCallOutputAcknowledgedSafetyCheck.id": "the name of a warning, without a content",
    "input": TEXT,
    "ChatCompletionAudioParam.voice": TEXT,
    "SpeechCreateParams.voice": TEXT,
    "video": "an upload; a reference is an object",
}


def found(**fields: Json) -> list[tuple[str, str, str]]:
    return [(one.kind.value, one.id, one.place) for one in references(fields)]


def is_found(place: Place) -> bool:
    body = place.body("probe")
    assert isinstance(body, dict)
    return any(one.id == "probe" for one in references(body))


def test_every_id_of_the_pinned_sdk_is_guarded_or_reviewed() -> None:
    """A new parameter of a new SDK fails here: put its name into the table, or say why not."""
    missed = [one for one in places() if not is_found(one)]
    names = [(one.path, {one.name, f"{one.owner}.{one.name}"}) for one in missed]
    assert [path for path, known in names if not known & REVIEWED.keys()] == []
    # Nothing is excused that is guarded, or gone.
    assert set().union(*[known for _, known in names]) >= REVIEWED.keys()


FILE: Json = {"type": "input_file", "file_id": "file_1"}
POSITIONS: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "previous": ({"previous_response_id": "r"}, ("response", "previous_response_id")),
    "compared": (
        {"prompt_cache_options": {"comparison_response_id": "r"}},
        ("response", "prompt_cache_options.comparison_response_id"),
    ),
    "conversation": ({"conversation": "r"}, ("conversation", "conversation")),
    "its object": ({"conversation": {"id": "r"}}, ("conversation", "conversation.id")),
    "reference": ({"input": [{"type": "item_reference", "id": "r"}]}, ("item", "input[0].id")),
    "bare": ({"input": ["x", {"id": "r"}]}, ("item", "input[1].id")),
    "items": ({"items": [{"id": "r", "type": "message"}]}, ("item", "items[0].id")),
    "file": (
        {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "r"}]}]},
        ("file", "input[0].content[0].file_id"),
    ),
    "file in an output": (
        {
            "input": [
                {
                    "type": "function_call_output",
                    "call_id": "c",
                    "output": [{"type": "input_image", "file_id": "r"}],
                }
            ]
        },
        ("file", "input[0].output[0].file_id"),
    ),
    "store": (
        {"tools": [{"type": "file_search", "vector_store_ids": ["r"]}]},
        ("vector store", "tools[0].vector_store_ids[0]"),
    ),
    "container": (
        {"tools": [{"type": "code_interpreter", "container": "r"}]},
        ("container", "tools[0].container"),
    ),
    "files of a container": (
        {"tools": [{"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["r"]}}]},
        ("file", "tools[0].container.file_ids[0]"),
    ),
    "mask": (
        {"tools": [{"type": "image_generation", "input_image_mask": {"file_id": "r"}}]},
        ("file", "tools[0].input_image_mask.file_id"),
    ),
    "prompt": ({"prompt": {"id": "r"}}, ("prompt", "prompt.id")),
    "of a variable": (
        {"prompt": {"variables": {"file_id": {"type": "input_file", "file_id": "r"}}}},
        ("file", "prompt.variables[0].file_id"),
    ),
    "chat's file": (
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "r"}}]}]},
        ("file", "messages[0].content[0].file.file_id"),
    ),
    "chat's audio": (
        {"messages": [{"role": "assistant", "audio": {"id": "r"}}]},
        ("item", "messages[0].audio.id"),
    ),
    "somewhere new": (
        {"novelty": [{"deep": {"container_id": "r"}}]},
        ("container", "novelty[0].deep.container_id"),
    ),
    "nested lists": (
        {"input": [[{"type": "item_reference", "id": "r"}]]},
        ("item", "input[0][0].id"),
    ),
    "an input that is one item": ({"input": {"id": "r"}}, ("item", "input.id")),
    "a list in a list": ({"file_ids": [["r"]]}, ("file", "file_ids[0][0]")),
    "a text for a list": ({"file_ids": "r"}, ("file", "file_ids")),
}


@pytest.mark.parametrize("position", POSITIONS)
def test_positions(position: str) -> None:
    fields, (kind, place) = POSITIONS[position]
    assert (kind, "r", place) in found(**fields)


def item(kind: str, **fields: Json) -> Json:
    return {"type": kind, "id": "r", "status": "completed", **fields}


LOOKED_UP: dict[str, Json] = {
    "a message without content": item("message", role="assistant", content=[]),
    "reasoning": item("reasoning", summary=[{"type": "summary_text", "text": "x"}]),
    "reasoning with an empty content": item("reasoning", encrypted_content=""),
    "an image": item("image_generation_call", result=None, action="edit"),
    "a search without results": item("file_search_call", queries=["q"], results=None),
    "a reference with more": item("item_reference", content="x"),
    "an unknown kind": item("novelty"),
}
ECHOES: dict[str, Json] = {
    "a message": item("message", role="assistant", content=[{"type": "output_text", "text": "x"}]),
    "reasoning": item("reasoning", encrypted_content="x", summary=[]),
    "a call": item("function_call", call_id="c", name="f", arguments="{}"),
    "an output": item("function_call_output", call_id="c", output=""),
    "an image": item("image_generation_call", result="aGk="),
    "a search": item("file_search_call", results=[{"file_id": "file_1"}]),
    "an unknown kind": item("novelty", novelty="x"),
    "without an id": {"type": "item_reference", "id": None},
}


@pytest.mark.parametrize("name", LOOKED_UP)
def test_an_item_without_its_content_is_looked_up(name: str) -> None:
    assert found(input=[LOOKED_UP[name]]) == [("item", "r", "input[0].id")]


@pytest.mark.parametrize("name", ECHOES)
@pytest.mark.parametrize("beside", [{}, {"novelty": 1}])
def test_an_item_beside_its_content_is_an_echo(name: str, beside: dict[str, Json]) -> None:
    assert found(input=[ECHOES[name]], **beside) == []


WORDS: dict[str, dict[str, Json]] = {
    "text": {"input": "file_id", "instructions": '{"file_id":"r"}'},
    "metadata": {"metadata": {"file_id": "r", "conversation": "r"}},
    "a schema": {"text": {"format": {"schema": {"properties": {"file_id": {"const": "r"}}}}}},
    "a tool's": {"tools": [{"type": "function", "parameters": {"file_id": "r", "id": "r"}}]},
    "citations": {
        "input": [{"content": [{"annotations": [{"file_id": "r", "container_id": "r"}]}]}]
    },
    "attributes": {"attributes": {"file_id": "r"}, "novelty": 1},
    "a variable's name": {"prompt": {"id": None, "variables": {"file_id": "r"}}},
    "a voice": {"audio": {"voice": "alloy"}},
    "words to draw": {"prompt": "r"},
    "nothing": {"previous_response_id": None, "conversation": None, "file_ids": [], "prompt": None},
}


@pytest.mark.parametrize("words", WORDS)
def test_words_are_no_ids(words: str) -> None:
    assert found(**WORDS[words]) == []


@pytest.mark.parametrize("value", [1, True, 1.5, {"id": "r"}, [1], [{"id": "r"}]])
def test_what_is_no_id_is_refused(value: Json) -> None:
    with pytest.raises(InvalidRequest, match="must be an id") as refused:
        references({"previous_response_id": value})
    assert refused.value.param is not None
    assert refused.value.param.startswith("previous_response_id")


@pytest.mark.parametrize(
    "name", ["FILE_ID", "fileId", "\uff46ile_id", "f\u0131le_id", "ID", "Container"]
)
def test_a_name_that_a_laxer_reader_could_take_for_one_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="did you mean"):
        references({"input": [{"content": [{name: "r"}]}]})


def test_each_is_named_once_and_not_too_many() -> None:
    assert found(file_ids=["a", "a"], input=[FILE, FILE]) == [
        ("file", "a", "file_ids[0]"),
        ("file", "file_1", "input[0].file_id"),
    ]
    many: list[Json] = [f"file_{number}" for number in range(REFERENCES_MAX + 1)]
    with pytest.raises(InvalidRequest, match="more than"):
        references({"file_ids": many})


def test_the_answer_tells_only_the_id() -> None:
    refused = not_found(Reference(Kind.VECTOR_STORE, "v" * 999, "tools[0].vector_store_ids[0]"))
    assert refused.message == f"Vector store with id '{'v' * ID_CHARACTERS_MAX}' not found."
    assert (refused.code, refused.param) == ("not_found", "tools[0].vector_store_ids[0]")
    previous = not_found(Reference(Kind.RESPONSE, "resp_1", "previous_response_id"))
    assert previous.code == "previous_response_not_found"


def test_a_path_names_its_first_id() -> None:
    ids = {"conversation_id": "conv_1", "item_id": "msg_1"}
    assert path_reference(ids) == [Reference(Kind.CONVERSATION, "conv_1", "conversation_id")]
    assert path_reference({"model": "gpt-5"}) == path_reference({}) == []


def test_what_a_policy_lists_needs_no_owner() -> None:
    named = references({"prompt": {"id": "pmpt_1"}, "file_ids": ["file_1"]})
    assert [one.id for one in unlisted(named, ("pmpt_1",))] == ["file_1"]
    assert unlisted(named, None) == named


@pytest.mark.parametrize("name", ["assistant_id", "thread_ids"])
@pytest.mark.parametrize("within", [lambda one: one, lambda one: {"run": [{"of": one}]}])
def test_what_nobody_knows_is_not_named(name: str, within: Callable[[Json], Json]) -> None:
    fields = within({name: "x_1", "user": "u"})
    assert isinstance(fields, dict)
    with pytest.raises(InvalidRequest, match=name):
        refuse_unknown_ids(fields)


def test_what_is_known_or_the_clients_own_is_named_freely() -> None:
    refuse_unknown_ids({"file_id": "f", "call_id": "c", "metadata": {"their_id": "1"}, "x": [1]})
