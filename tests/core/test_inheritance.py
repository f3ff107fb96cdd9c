"""What the policies on a path come to: the rule of each field, and a law over three levels."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.inheritance import Level, effective
from gateway.core.policy import ALLOW_LISTS, CAPS, PERMISSIONS, Policy

SUBJECTS = ("acme", "acme/search", "k00000000001")


def of(*policies: Policy) -> list[Level]:
    subjects = SUBJECTS[-len(policies) :]
    return [Level(subject=one, policy=two) for one, two in zip(subjects, policies, strict=True)]


def combined(field: str, *values: Any) -> Any:
    found = effective(of(*(Policy(**{field: value}) for value in values)))
    return getattr(found.policy, field), found.origins.get(field, ())


def test_silence_is_no_policy() -> None:
    found = effective([])
    assert (found.policy, found.origins) == (Policy(), {})
    assert effective(of(Policy(), Policy(), Policy())) == found


def test_allow_lists_intersect_in_the_order_of_the_root() -> None:
    kept = combined("models", ("c", "a", "b"), None, ("a", "b", "d"))
    assert kept == (("a", "b"), ("acme", "k00000000001"))
    assert combined("tools", ("a",), ("b",)) == ((), ("acme/search", "k00000000001"))


def test_the_least_cap_holds() -> None:
    assert combined("max_output_tokens_cap", 100, 50, 70) == (50, ("acme/search",))
    assert combined("attempts_max", 1, 3) == (1, ("acme/search",))


def test_a_permission_is_allowed_by_all_who_speak() -> None:
    assert combined("store", "allow", None, "deny") == ("deny", ("k00000000001",))
    assert combined("store", "deny", "allow", "allow") == ("deny", ("acme",))
    assert combined("store", None, "allow", "allow") == ("allow", SUBJECTS[1:])


def test_manners_come_from_the_nearest() -> None:
    assert combined("over", "deny", "clamp", None) == ("clamp", ("acme/search",))
    assert combined("on_disconnect", "drain", None, "cancel") == ("cancel", ("k00000000001",))


def test_each_alias_comes_from_the_nearest() -> None:
    merged = combined("aliases", {"fast": "a", "slow": "b"}, {"fast": "c"})
    assert merged == ({"fast": "c", "slow": "b"}, SUBJECTS[1:])


def test_a_default_above_the_cap_becomes_the_cap_and_its_origin() -> None:
    found = effective(of(Policy(max_output_tokens_cap=50), Policy(max_output_tokens_default=99)))
    assert found.policy == Policy(max_output_tokens_cap=50, max_output_tokens_default=50)
    assert found.origins["max_output_tokens_default"] == ("acme/search",)
    kept = effective(of(Policy(max_tool_calls_cap=5), Policy(max_tool_calls_default=5)))
    assert kept.origins["max_tool_calls_default"] == ("k00000000001",)


LISTS = st.none() | st.lists(st.sampled_from("abcd"), min_size=1, unique=True).map(tuple)
COUNTS = st.none() | st.integers(16, 20)
PERMITS = st.sampled_from([None, "allow", "deny"])
POLICIES = st.builds(
    Policy,
    models=LISTS,
    service_tiers=LISTS,
    tools=LISTS,
    max_output_tokens_cap=COUNTS,
    max_tool_calls_cap=COUNTS,
    attempts_max=COUNTS,
    background=PERMITS,
    store=PERMITS,
    websocket=PERMITS,
    unbounded=PERMITS,
    unpriced=PERMITS,
    aliases=st.none() | st.dictionaries(st.sampled_from("xy"), st.sampled_from("abcd"), min_size=1),
    max_output_tokens_default=COUNTS,
    max_tool_calls_default=COUNTS,
    over=st.sampled_from([None, "clamp", "deny"]),
    on_disconnect=st.sampled_from([None, "drain", "cancel"]),
)


@given(st.tuples(POLICIES, POLICIES, POLICIES))
def test_three_levels_come_to_what_the_rules_say(three: tuple[Policy, Policy, Policy]) -> None:
    result = effective(of(*three)).policy

    def spoken(name: str) -> list[Any]:
        return [one for policy in three if (one := getattr(policy, name)) is not None]

    for name in ALLOW_LISTS:
        sets = [set(one) for one in spoken(name)]
        kept = getattr(result, name)
        assert (kept is None) if not sets else set(kept) == set.intersection(*sets)
    for name in CAPS:
        assert getattr(result, name) == min(spoken(name), default=None)
    for name in PERMISSIONS:
        wanted = "deny" if "deny" in spoken(name) else "allow" if spoken(name) else None
        assert getattr(result, name) == wanted
    for name in ("over", "on_disconnect"):
        assert getattr(result, name) == (spoken(name) or [None])[-1]
    for name in ("max_output_tokens", "max_tool_calls"):
        nearest = (spoken(f"{name}_default") or [None])[-1]
        cap = min(spoken(f"{name}_cap"), default=None)
        wanted = min(nearest, cap) if nearest is not None and cap is not None else nearest
        assert getattr(result, f"{name}_default") == wanted
    for alias in "xy":
        nearest = ([one[alias] for one in spoken("aliases") if alias in one] or [None])[-1]
        assert (result.aliases or {}).get(alias) == nearest


@given(st.tuples(POLICIES, POLICIES, POLICIES))
def test_no_lower_level_widens_what_a_higher_one_allows(
    three: tuple[Policy, Policy, Policy],
) -> None:
    upper, whole = effective(of(*three[:2])).policy, effective(of(*three)).policy
    for name in ALLOW_LISTS:
        before, after = getattr(upper, name), getattr(whole, name)
        assert before is None or set(after) <= set(before)
    for name in CAPS:
        before, after = getattr(upper, name), getattr(whole, name)
        assert before is None or after <= before
    for name in PERMISSIONS:
        assert getattr(upper, name) != "deny" or getattr(whole, name) == "deny"


@given(st.tuples(POLICIES, POLICIES, POLICIES))
def test_whatever_is_in_force_has_an_origin_that_spoke(
    three: tuple[Policy, Policy, Policy],
) -> None:
    levels = of(*three)
    found = effective(levels)
    subjects = {level.subject: level.policy for level in levels}
    for name, origin in found.origins.items():
        cap = name.replace("_default", "_cap")
        assert origin
        for subject in origin:
            said = getattr(subjects[subject], name), getattr(subjects[subject], cap)
            assert any(value is not None for value in said)
    in_force = {
        name for name in Policy.__dataclass_fields__ if getattr(found.policy, name) is not None
    }
    assert in_force == set(found.origins)


@given(POLICIES)
def test_one_level_alone_is_itself(one: Policy) -> None:
    policy = effective(of(one)).policy
    assert effective(of(policy)).policy == policy


def test_who_counts_is_known_by_name() -> None:
    levels = of(Policy(concurrent_max=5), Policy(over="deny"), Policy(tokens_per_minute_max=9))
    assert effective(levels).counted == (levels[0], levels[2])
