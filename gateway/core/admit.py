"""What a policy does to a request: admit it, change what must be, or deny it and say why.

A request comes out as it went in unless the policy changed it; every change is told. Not here:
whose policy (`inheritance`), or what the request may cost (`bound`).
"""

from dataclasses import dataclass

from msgspec import Struct
from msgspec.structs import replace

from gateway.core.errors import PolicyDenied, Unpriced
from gateway.core.policy import Policy
from gateway.core.prices import ModelPrice
from gateway.core.request import Request
from gateway.core.strict import Json, refuse_look_alikes

NAMES_SHOWN_MAX = 8
CUT_TAG = "gw_history_cut"  # of a hold whose input may be cut: its length bounds no chain
POLICY_TAG = "gw_policy"  # of a hold whose request the policy changed: what is `told`
BUDGET_TAG = "gw_fitted"  # "true" where the money that was left set the limit of its output
OUTPUT_LIMITS = ("max_output_tokens", "max_completion_tokens", "max_tokens")
CHANGEABLE = ("model", "service_tier", "store", *OUTPUT_LIMITS, "max_tool_calls")
_TOOL_FIELDS = frozenset({"type", "tools", "model"})
# Of most input items: these need no second look.
_ITEM_FIELDS = _TOOL_FIELDS | {
    "role", "content", "id", "status", "name", "call_id", "arguments", "output", "summary",
    "encrypted_content",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A field that the policy set. `was` None: the client had not said."""

    field: str
    was: str | int | None
    now: str | int | bool


class Admitted(Struct, frozen=True, kw_only=True):
    """A request that may be made. `body` None: send the client's own bytes.

    `asks_usage`: that its stream is to end with the usage is our wish, not its client's.
    """

    request: Request
    changes: tuple[Change, ...] = ()
    body: bytes | None = None
    asks_usage: bool = False


def admit(request: Request, policy: Policy) -> Admitted:
    """The request as it may be made. Raises PolicyDenied naming the field that keeps it from it."""
    _refuse_background(request, policy)
    model = _model(request, policy)
    _refuse_tools(request, policy)
    found = (
        model,
        _service_tier(request, policy),
        _store(request, policy),
        _output_tokens(request, policy),
        _tool_calls(request, policy),
    )
    changes = tuple(change for change in found if change is not None)
    asked = request.usage_asked()
    if not changes and not asked:
        return Admitted(request=request)
    sent, body = request.rewritten({**asked, **{change.field: change.now for change in changes}})
    return Admitted(request=sent, changes=changes, body=body, asks_usage=bool(asked))


def lowered(admitted: Admitted, output_tokens: int) -> Admitted:
    """The request with a lower limit of its output, because money is short."""
    name = admitted.request.output_field
    before = [change for change in admitted.changes if change.field == name]
    was = before[0].was if before else admitted.request.max_output_tokens
    request, body = admitted.request.rewritten({name: output_tokens})
    kept = tuple(change for change in admitted.changes if change.field != name)
    change = Change(field=name, was=was, now=output_tokens)
    return replace(admitted, request=request, changes=(*kept, change), body=body)


def require_price(request: Request, price: ModelPrice | None, *, is_unpriced_allowed: bool) -> None:
    """Raise Unpriced where the cost of a request could not be known."""
    if price is None and not is_unpriced_allowed:
        if request.window is not None:
            raise Unpriced(
                f"No price is known for {request.model!r} with the completion window "
                f"{request.window!r}: send the request without it.",
                param="background_options",
            )
        raise Unpriced(
            f"No price is known for the model {request.model!r}, so its cost could not be "
            "accounted for. Ask for a model listed by `gateway prices list`, or have the "
            "operator add its price.",
            param="model",
        )


def told(changes: tuple[Change, ...]) -> str:
    """The changes in one line of ASCII: `max_output_tokens=4096 (was 8000), store=false`."""
    return ", ".join(_told(change) for change in changes)


def _told(change: Change) -> str:
    now = str(change.now).lower() if isinstance(change.now, bool) else str(change.now)
    was = "" if change.was is None else f" (was {change.was})"
    return f"{change.field}={now}{was}".encode("ascii", "backslashreplace").decode()


def _refuse_background(request: Request, policy: Policy) -> None:
    if not request.is_background:
        return
    if policy.background == "deny":
        raise PolicyDenied(
            "The policy of this key does not allow background responses: send the request "
            "without 'background'.",
            code="background_not_allowed",
            param="background",
        )
    if policy.store == "deny":
        raise PolicyDenied(
            "The policy of this key does not allow stored responses, and those in the background "
            "are stored: send the request without 'background'.",
            code="background_not_allowed",
            param="background",
        )


def _model(request: Request, policy: Policy) -> Change | None:
    model = (policy.aliases or {}).get(request.model, request.model)
    if policy.models is not None and model not in policy.models:
        raise PolicyDenied(
            f"The policy of this key does not allow the model {model!r}: {_any_of(policy.models)}.",
            param="model",
        )
    if model == request.model:
        return None
    return Change(field="model", was=request.model, now=model)


def _service_tier(request: Request, policy: Policy) -> Change | None:
    allowed = policy.service_tiers
    # What is not said is `auto`: the tier that the upstream's project is set to.
    if allowed is None or not request.has_tiers or (request.service_tier or "auto") in allowed:
        return None
    if request.service_tier is None and "default" in allowed:
        return Change(field="service_tier", was=None, now="default")
    raise PolicyDenied(
        f"The policy of this key does not allow the service tier "
        f"{request.service_tier or 'auto'!r}: {_any_of(allowed)}.",
        param="service_tier",
    )


def _store(request: Request, policy: Policy) -> Change | None:
    if policy.store != "deny" or request.is_stored is False:
        return None
    if request.is_stored:
        raise PolicyDenied(
            "The policy of this key does not allow stored responses: send 'store' as false.",
            param="store",
        )
    return Change(field="store", was=None, now=False)


def _output_tokens(request: Request, policy: Policy) -> Change | None:
    if not request.takes_output_limit:
        return None
    change = _limited(
        request.output_field,
        request.max_output_tokens,
        default=policy.max_output_tokens_default,
        cap=policy.max_output_tokens_cap,
        policy=policy,
    )
    if change is not None and int(change.now) < request.output_tokens_min:
        raise PolicyDenied(
            f"The policy of this key allows {change.now} output tokens, and the API takes no "
            f"'{request.output_field}' below {request.output_tokens_min}.",
            param=request.output_field,
        )
    return change


def _tool_calls(request: Request, policy: Policy) -> Change | None:
    if request.max_tool_calls is None and not request.has_hosted_tools:
        return None  # only hosted tools are counted
    change = _limited(
        "max_tool_calls",
        request.max_tool_calls,
        default=policy.max_tool_calls_default,
        cap=policy.max_tool_calls_cap,
        policy=policy,
    )
    if change is not None and not request.takes_tool_limit:
        raise PolicyDenied(
            f"The policy of this key allows {change.now} calls of tools that run upstream, and "
            "this endpoint takes no limit of them: ask without such a tool, and a model that does "
            "not search by itself.",
            param=_first_hosted(request),
        )
    return change


def _limited(
    name: str, asked: int | None, *, default: int | None, cap: int | None, policy: Policy
) -> Change | None:
    if asked is None:
        limit = cap if default is None else default
        return None if limit is None else Change(field=name, was=None, now=limit)
    if cap is None or asked <= cap:
        return None
    if policy.over == "deny":
        raise PolicyDenied(
            f"The policy of this key allows '{name}' of at most {cap}; {asked} was asked for.",
            param=name,
        )
    return Change(field=name, was=asked, now=cap)


def _refuse_tools(request: Request, policy: Policy) -> None:
    if policy.unbounded == "deny" and request.has_hosted_tools:
        raise PolicyDenied(
            "The policy of this key does not allow requests whose cost has no upper bound: tools "
            "that run upstream read their context again, and a prompt template may bring some.",
            param=_first_hosted(request),
        )
    if policy.tools is None and policy.models is None:
        return
    if policy.tools is not None and request.fields.get("prompt") is not None:
        raise PolicyDenied(
            "The policy of this key allows only some tools, and a prompt template may bring "
            "others: send the request without 'prompt'.",
            param="prompt",
        )
    for place, item in enumerate(_items(request)):
        refuse_look_alikes(item.keys() - _ITEM_FIELDS, _TOOL_FIELDS, within=f"input[{place}].")
    for tool in request.tools():
        refuse_look_alikes(tool.fields, _TOOL_FIELDS, within=f"{tool.place}.")
        if policy.tools is not None and tool.kind not in policy.tools:
            raise PolicyDenied(
                f"The policy of this key does not allow the tool {tool.kind or 'of no type'!r}: "
                f"{_any_of(policy.tools)}.",
                param=tool.place,
            )
        _refuse_tool_model(tool.fields.get("model"), tool.place, policy)


def _items(request: Request) -> list[dict[str, Json]]:
    items = request.fields.get("input")
    return (
        [one if isinstance(one, dict) else {} for one in items] if isinstance(items, list) else []
    )


def _refuse_tool_model(model: Json, place: str, policy: Policy) -> None:
    """A tool may name a model of its own, which is billed as any other."""
    if model is None or policy.models is None or model in policy.models:
        return
    raise PolicyDenied(
        f"The policy of this key does not allow the model of this tool: {_any_of(policy.models)}.",
        param=f"{place}.model",
    )


def _first_hosted(request: Request) -> str:
    return "prompt" if request.fields.get("prompt") is not None else "tools"


def _any_of(names: tuple[str, ...]) -> str:
    if not names:
        return "none is allowed"
    shown = ", ".join(names[:NAMES_SHOWN_MAX])
    more = len(names) - NAMES_SHOWN_MAX
    return f"it allows {shown}" + (f" and {more} more" if more > 0 else "")
