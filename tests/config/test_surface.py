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
