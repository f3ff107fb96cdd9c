"""What may be set about what is served."""

import pytest
from pydantic import ValidationError

from gateway.config.settings import Settings


def test_the_usage_of_a_stream_is_shown_unless_told_otherwise() -> None:
    assert Settings().endpoints.chat_usage == "shown"
    chosen = Settings.model_validate({"endpoints": {"chat_usage": "left_out"}})
    assert chosen.endpoints.chat_usage == "left_out"
    with pytest.raises(ValidationError):
        Settings.model_validate({"endpoints": {"chat_usage": "hidden"}})


def test_what_is_passed_is_checked() -> None:
    given = {"endpoints": {"passed_prefixes": ["/v1/audio", "/v1/files"]}}
    assert Settings.model_validate(given).endpoints.passed_prefixes == "/v1/audio,/v1/files"
    with pytest.raises(ValidationError, match="is served by the gateway itself"):
        Settings.model_validate({"endpoints": {"passed_prefixes": "/v1/chat"}})
