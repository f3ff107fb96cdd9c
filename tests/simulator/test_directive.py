"""How a request says what is to be played to it."""

import pytest

from gateway.simulator.directive import (
    DirectiveInvalid,
    find_directive,
    newest_text,
    read_words,
    whole_number,
)


def test_a_directive_stands_in_the_input_or_wins_in_the_metadata() -> None:
    assert find_directive({"input": "Hello [sim: cut=5; bom ] there"}) == "cut=5; bom"
    assert find_directive({"input": "[sim: bom]", "metadata": {"sim": "cr"}}) == "cr"
    assert find_directive({"input": "Hello"}) == ""
    assert find_directive({}) == ""


def test_only_the_newest_turn_speaks() -> None:
    asked = {"role": "user", "content": [{"type": "input_text", "text": "[sim: bom]"}]}
    called = {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c"}
    result = {"type": "function_call_output", "call_id": "c", "output": "done"}
    assert find_directive({"input": [asked]}) == "bom"
    assert find_directive({"input": [asked, called, result]}) == ""
    assert newest_text({"input": [asked, {"role": "assistant", "content": "x"}, "y", 5]}) == "y"


def test_words_have_values_or_are_flags() -> None:
    assert read_words("kind = text; bom ;; output=12") == {
        "kind": "text",
        "bom": "1",
        "output": "12",
    }
    assert read_words("") == {}


def test_what_nothing_plays_is_refused() -> None:
    with pytest.raises(DirectiveInvalid, match="'colour'"):
        read_words("colour=red")
    with pytest.raises(DirectiveInvalid, match="whole number"):
        whole_number({"output": "many"}, "output")
    assert whole_number({}, "output", 7) == 7
