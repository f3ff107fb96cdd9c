"""What may be set about what is served. Not here: which endpoints there are (`core.endpoints`)."""

from typing import Literal

from pydantic import field_validator

from gateway.config.section import Section
from gateway.core.prefixes import prefixes_from


class Endpoints(Section):
    """What is served beside the Responses API, and how."""

    chat_usage: Literal["shown", "left_out"] = "shown"
    """The usage at the end of a chat stream whose client did not ask for it: passed, or kept."""
    passed_prefixes: str = ""
    """Paths passed unmetered, with commas between, as /v1/audio: not for hard budgets' tenants."""

    @field_validator("passed_prefixes", mode="before")
    @classmethod
    def _is_one_line(cls, given: object) -> object:
        return ",".join(map(str, given)) if isinstance(given, list) else given

    @field_validator("passed_prefixes")
    @classmethod
    def _can_be_passed(cls, prefixes: str) -> str:
        prefixes_from(prefixes)
        return prefixes
