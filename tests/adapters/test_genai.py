"""What is said of an exchange by the conventions' names, in each of their versions."""

import pytest

from gateway.adapters.genai import OTHER, Server, attributes, operation, short
from gateway.core.exchange import Outcome
from tests.builders import exchange, hold, usage

SERVER = Server("api.test", 443)


def test_nothing_is_said_of_what_is_not_known() -> None:
    one = exchange(
        hold=hold(endpoint="responses", is_stream=False, service_tier="auto"),
        usage=None,
        response_id=None,
        model=None,
        service_tier=None,
    )
    assert attributes(one, version="1.41", server=SERVER) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-test",
        "gen_ai.response.finish_reasons": ("completed",),
        "openai.api.type": "responses",
        "server.address": "api.test",
        "server.port": 443,
    }


@pytest.mark.parametrize(
    ("endpoint", "name", "api"),
    [
        ("responses", "chat", "responses"),
        ("chat.completions", "chat", "chat_completions"),
        ("embeddings", "embeddings", None),
        ("responses.compact", "responses.compact", None),
    ],
)
def test_operations(endpoint: str, name: str, api: str | None) -> None:
    one = exchange(hold=hold(endpoint=endpoint))
    assert operation(one) == name
    assert attributes(one, version="latest", server=SERVER).get("openai.api.type") == api


@pytest.mark.parametrize(
    ("outcome", "reason", "finish", "error"),
    [
        (Outcome.COMPLETED, None, ("completed",), None),
        (Outcome.INCOMPLETE, "max_output_tokens", ("max_output_tokens",), None),
        (Outcome.FAILED, "server_error", None, "server_error"),
        (Outcome.ABORTED, None, None, "aborted"),
        (Outcome.CANCELLED, None, None, "cancelled"),
    ],
)
def test_endings(
    outcome: Outcome, reason: str | None, finish: tuple[str, ...] | None, error: str | None
) -> None:
    said = attributes(exchange(outcome=outcome, reason=reason), version="1.41", server=SERVER)
    assert said.get("gen_ai.response.finish_reasons") == finish
    assert said.get("error.type") == error


def test_the_written_cache_has_another_name_in_the_latest() -> None:
    one = exchange(usage=usage(cache_write_tokens=7))
    old = attributes(one, version="1.41", server=SERVER)
    new = attributes(one, version="latest", server=SERVER)
    assert old["gen_ai.usage.cache_creation.input_tokens"] == 7
    assert new["gen_ai.usage.cache_write.input_tokens"] == 7
    assert old.keys() ^ new.keys() == {
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_write.input_tokens",
    }


def test_a_client_s_word_is_cut() -> None:
    said = attributes(exchange(hold=hold(model="m" * 5000)), version="1.41", server=SERVER)
    assert said["gen_ai.request.model"] == short("m" * 5000) == "m" * 200
    assert OTHER == "other"
