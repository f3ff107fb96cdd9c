"""Whose work a request is, in its client's words: the tags that its entry keeps.

A client may say tags, in a header or in `metadata`, of which those that the operator named are
kept; beside them stand the ids that known clients send unasked. A tag is for reports, so one that
cannot be read is left out and refuses nothing. Not here: who pays (`tenant`).
"""

import re
from collections.abc import Mapping

from gateway.core.headers import Headers, client_request_id
from gateway.core.strict import Json

CLIENT_REQUEST_TAG = "gw_client_request_id"
AGENT_TAG = "gw_agent"  # the program that asks
SUBAGENT_TAG = "gw_subagent"  # which part of it
SESSION_TAG = "gw_session"  # the conversation that the request belongs to
USER_TAG = "user"  # whom the client serves: kept only where it is named, as it may be an address

OURS = "gw_"
NAMES_MAX = 16
VALUE_CHARACTERS_MAX = 128

_TAGS = b"x-gateway-tags"
_REQUEST = b"x-client-request-id"
_USER_AGENT = b"user-agent"
_SUBAGENT = b"x-openai-subagent"
_ORIGINATOR = b"originator"
_SESSIONS = (b"session-id", b"session_id", b"conversation_id", b"thread-id")
_READ = frozenset({_TAGS, _REQUEST, _USER_AGENT, _SUBAGENT, _ORIGINATOR, *_SESSIONS})
# `Agents/Python 0.24.0` and `ai-sdk/openai/4.0.118 …` without what changes from week to week.
_PRODUCT = re.compile(r"[A-Za-z][\w.-]*(?:/[A-Za-z][\w.-]*)*")
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,31}\Z")


def tag_names(text: str) -> frozenset[str]:
    """Names with commas between. Raises ValueError for what cannot be a client's tag."""
    names = frozenset(name.strip() for name in text.split(",") if name.strip())
    if len(names) > NAMES_MAX:
        raise ValueError(f"at most {NAMES_MAX} tags can be named")
    for name in sorted(names):
        if not _NAME.match(name) or name.startswith(OURS):
            raise ValueError(
                f"{name!r} is no name of a tag: write up to 32 of a-z, 0-9, '_', '.' and '-', "
                f"and none that begins with {OURS}"
            )
    return names


def attribution(
    headers: Headers, fields: Mapping[str, Json], *, allowed: frozenset[str]
) -> dict[str, str]:
    """The tags of a request. What its header says stands over its `metadata`."""
    # The last one of a name that comes twice: whoever is nearest to us added it.
    said = {name: value.decode("latin-1") for name, value in headers if name in _READ}
    sent = {
        CLIENT_REQUEST_TAG: client_request_id(headers) if _REQUEST in said else None,
        AGENT_TAG: said.get(_ORIGINATOR) or _product(said.get(_USER_AGENT, "")),
        SUBAGENT_TAG: said.get(_SUBAGENT),
        SESSION_TAG: _session(said, fields),
    }
    if allowed:
        user = {USER_TAG: fields.get("safety_identifier") or fields.get("user")}
        chosen = {**user, **_mentioned(fields.get("metadata")), **_listed(said.get(_TAGS, ""))}
        sent.update({name: chosen[name] for name in allowed & chosen.keys()})
    return {name: text for name, value in sent.items() if value and (text := _kept(value))}


def _product(user_agent: str) -> str:
    product = _PRODUCT.match(user_agent[:VALUE_CHARACTERS_MAX])
    return product[0] if product else ""


def _session(said: Mapping[bytes, str], fields: Mapping[str, Json]) -> Json:
    for name in _SESSIONS:
        if name in said:
            return said[name]
    conversation = fields.get("conversation")
    if isinstance(conversation, dict):
        conversation = conversation.get("id")
    return conversation or fields.get("prompt_cache_key")


def _mentioned(metadata: Json) -> dict[str, Json]:
    return metadata if isinstance(metadata, dict) else {}


def _listed(text: str) -> dict[str, Json]:
    """`team=search, feature=chat` as a mapping."""
    pairs = (pair.partition("=") for pair in text.split(","))
    return {name.strip(): value.strip() for name, _, value in pairs}


def _kept(value: Json) -> str | None:
    """A value as a row can have it: text that prints, and not too much of it."""
    if not isinstance(value, str) or not value.isprintable():
        return None
    return value[:VALUE_CHARACTERS_MAX]
