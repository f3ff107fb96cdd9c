"""What may be set about what is served. Not here: which endpoints there are (`core.endpoints`)."""

from typing import Literal

from gateway.config.section import Section


class Endpoints(Section):
    """What is served beside the Responses API, and how."""

    chat_usage: Literal["shown", "left_out"] = "shown"
    """The usage at the end of a chat stream whose client did not ask for it: passed, or kept."""
