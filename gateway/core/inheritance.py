"""What the policies on a key's path come to, field by field, and who said so.

Allow-lists intersect and caps take the least, so a lower level can only narrow. A permission must
be allowed at every level that speaks. Manners come from the level nearest the key, and so does each
alias. A default above its cap becomes the cap.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.core.policy import ALLOW_LISTS, CAPS, COUNTED, MANNERS, PERMISSIONS, Policy

_CAPPED = ("max_output_tokens", "max_tool_calls")


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One policy and whose it is: a tenant's path, or a key's id."""

    subject: str
    policy: Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """The policy in force, and for each of its fields the subjects that made it so."""

    policy: Policy
    origins: dict[str, tuple[str, ...]]
    counted: tuple[Level, ...] = ()  # who limits what is counted of all below it, root first


_Said = list[tuple[str, Any]]  # subject and value, root first; never empty
_Result = tuple[Any, tuple[str, ...]]


def effective(levels: Sequence[Level]) -> Effective:
    """The policy of a key, from the levels on its path: root first, the key last."""
    results: dict[str, _Result] = {}
    for names, decide in (
        (ALLOW_LISTS, _in_all),
        (CAPS, _least),
        (PERMISSIONS, _allowed_by_all),
        (MANNERS, _nearest),
        (("aliases",), _nearest_of_each),
    ):
        for name in names:
            said = [
                (level.subject, value)
                for level in levels
                if (value := getattr(level.policy, name)) is not None
            ]
            if said:
                results[name] = decide(said)
    for name in _CAPPED:
        _lower_default(results, name)
    return Effective(
        policy=Policy(**{name: value for name, (value, _) in results.items()}),
        origins={name: subjects for name, (_, subjects) in results.items()},
        counted=tuple(
            level for level in levels if any(getattr(level.policy, name) for name in COUNTED)
        ),
    )


def _in_all(said: _Said) -> _Result:
    # In the order of the root's list; an empty result allows nothing.
    first = said[0][1]
    kept = tuple(one for one in first if all(one in value for _, value in said))
    return kept, tuple(subject for subject, _ in said)


def _least(said: _Said) -> _Result:
    least = min(value for _, value in said)
    return least, tuple(subject for subject, value in said if value == least)


def _allowed_by_all(said: _Said) -> _Result:
    denying = tuple(subject for subject, value in said if value == "deny")
    return ("deny", denying) if denying else ("allow", tuple(subject for subject, _ in said))


def _nearest(said: _Said) -> _Result:
    subject, value = said[-1]
    return value, (subject,)


def _nearest_of_each(said: _Said) -> _Result:
    merged: dict[str, str] = {}
    for _, aliases in said:
        merged |= aliases
    return merged, tuple(subject for subject, _ in said)


def _lower_default(results: dict[str, _Result], name: str) -> None:
    default, cap = results.get(f"{name}_default"), results.get(f"{name}_cap")
    if default is not None and cap is not None and default[0] > cap[0]:
        results[f"{name}_default"] = cap
