"""Items that were given, and lists of them page by page, as the API shows both. Pure."""

from gateway.simulator.answers import ApiError
from gateway.simulator.directive import JsonObject
from gateway.simulator.ids import Ids

LIMIT_DEFAULT = 20
LIMIT_MAX = 100


def input_items(body: JsonObject, ids: Ids) -> list[JsonObject]:
    """What a request gives to the model, each with an id; oldest first."""
    given = body.get("input")
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    items = given if isinstance(given, list) else []
    return [_item(one, ids, number) for number, one in enumerate(items) if isinstance(one, dict)]


def listed(items: list[JsonObject], query: dict[str, list[str]]) -> JsonObject:
    """A page of them: newest first, unless the query says otherwise."""
    order = query.get("order", ["desc"])[0]
    limit = query.get("limit", [str(LIMIT_DEFAULT)])[0]
    if not limit.isdecimal() or not 1 <= int(limit) <= LIMIT_MAX:
        raise ApiError(400, f"limit is from 1 to {LIMIT_MAX}.", param="limit")
    found = items if order == "asc" else items[::-1]
    after = query.get("after", [""])[0]
    if after:
        names = [item["id"] for item in found]
        if after not in names:
            raise ApiError(404, f"Item with id '{after}' not found.", param="after")
        found = found[names.index(after) + 1 :]
    page = found[: int(limit)]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": len(found) > len(page),
    }


def _item(given: JsonObject, ids: Ids, number: int) -> JsonObject:
    if given.get("type", "message") != "message":
        return {"id": ids.item("item", number), **given}
    role, content = given.get("role", "user"), given.get("content")
    if isinstance(content, str):
        kind = "output_text" if role == "assistant" else "input_text"
        content = [{"type": kind, "text": content}]
    first = {"id": ids.item("msg_in", number), "type": "message", "status": "completed"}
    return {**first, **given, "role": role, "content": content}
