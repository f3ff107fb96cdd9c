"""Output items: what is said, as far as the limit allows."""

from tests.simulator.scenes import scene

LOOK = {
    "type": "function",
    "name": "look",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}


def test_a_word_is_a_token() -> None:
    output = scene("output=5").output
    assert (output.output_tokens, output.is_truncated) == (5, False)
    (item,) = output.items
    assert item.final["content"][0]["text"] == "".join(item.pieces) == "Every byte that arrives is"


def test_the_limit_cuts_what_is_said() -> None:
    output = scene("output=100", max_output_tokens=20).output
    assert (output.output_tokens, output.is_truncated) == (20, True)
    assert output.items[0].final["status"] == "incomplete"


def test_reasoning_comes_first_and_can_use_the_limit_up() -> None:
    output = scene("kind=reasoning; reasoning=30; output=10").output
    assert (output.output_tokens, output.reasoning_tokens) == (40, 30)
    assert [item.final["type"] for item in output.items] == ["reasoning", "message"]
    output = scene("kind=reasoning; reasoning=30", max_output_tokens=16).output
    assert (output.output_tokens, output.reasoning_tokens) == (16, 16)
    assert [item.final["type"] for item in output.items] == ["reasoning"]


def test_a_summary_and_encrypted_content_come_when_asked_for() -> None:
    (bare, _) = scene("kind=reasoning").output.items
    assert (bare.final["summary"], bare.pieces) == ([], ())
    asked = {"reasoning": {"summary": "auto"}, "include": ["reasoning.encrypted_content"]}
    (told, _) = scene("kind=reasoning", **asked).output.items
    assert told.final["summary"][0]["text"] == "".join(told.pieces)
    assert told.final["encrypted_content"]


def test_a_function_is_called_with_fitting_arguments() -> None:
    (item,) = scene("kind=function_call", tools=[LOOK]).output.items
    assert item.final["name"] == "look"
    assert item.final["arguments"] == "".join(item.pieces) == '{"city":"simulated"}'
    (item,) = scene('kind=function_call; arguments={"city":"Rome"}', tools=[LOOK]).output.items
    assert (item.final["name"], item.final["arguments"]) == ("look", '{"city":"Rome"}')
    (item,) = scene("kind=function_call").output.items
    assert (item.final["name"], item.final["arguments"]) == ("simulated", "{}")


def test_searches_are_cited() -> None:
    *searches, message = scene("kind=web_search; searches=2").output.items
    assert [item.final["action"]["type"] for item in searches] == ["search", "search"]
    assert len(message.final["content"][0]["annotations"]) == 2


def test_reasoning_can_be_told_as_it_is() -> None:
    reasoning, _ = scene("kind=reasoning_text; reasoning=5").output.items
    assert reasoning.final["content"][0]["text"] == "".join(reasoning.pieces)
    assert len(reasoning.pieces) == 5


def test_every_kind_of_annotation() -> None:
    (message,) = scene("kind=annotations").output.items
    kinds = {one["type"] for one in message.final["content"][0]["annotations"]}
    assert kinds == {"file_citation", "url_citation", "container_file_citation", "file_path"}
