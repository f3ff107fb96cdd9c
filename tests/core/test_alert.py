"""What an alert says, to programs and to people, and when it is said again."""

import json

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.alert import PAUSE_SECONDS_MIN, Alert, pause_seconds, to_json, to_slack
from tests.builders import alert


def sentence(one: Alert) -> str:
    text = json.loads(to_slack(one))["text"]
    assert isinstance(text, str)
    return text


def test_a_program_is_told_everything() -> None:
    assert json.loads(to_json(alert(models=("gpt-5", "gpt-5-mini")))) == {
        "type": "budget.threshold_passed",
        "timestamp": "2026-11-22T12:00:01Z",
        "data": {
            "id": "1-a-1795305600000000-80",
            "tenant": "acme",
            "subject": "acme",
            "budget": "day:gpt-5+gpt-5-mini",
            "threshold_percent": 80,
            "crossed_at": "2026-11-22T12:00:01Z",
            "limit_usd": "20.000000000000",
            "spent_usd": "16.129999999999",
            "held_usd": "0.400000000000",
            "left_usd": "3.470000000001",
            "excess_usd": "0.000000000000",
            "period": "day",
            "period_start": "2026-11-22T00:00:00Z",
            "period_end": "2026-11-23T00:00:00Z",
            "tz": "UTC",
            "hard": True,
            "models": ["gpt-5", "gpt-5-mini"],
        },
    }


def test_what_never_ends_has_no_edges() -> None:
    data = json.loads(to_json(alert(period="total")))["data"]
    assert (data["period_start"], data["period_end"], data["id"]) == (None, None, "1-a-0-80")


def test_people_are_told_in_a_sentence() -> None:
    assert sentence(alert()) == (
        "acme has passed 80 % of its hard budget of 20.00 USD a day: 16.12 are spent and 0.40 held,"
        " 3.47 are left until 2026-11-23T00:00:00Z."
    )
    of_a_key = alert(subject="k1", period="total", is_hard=False, models=("gpt-5", "<&>"))
    assert sentence(of_a_key) == (
        "Key k1 of acme has passed 80 % of its soft budget of 20.00 USD in total for gpt-5,"
        " &lt;&amp;&gt;: 16.12 are spent and 0.40 held, 3.47 are left."
    )


def test_no_two_have_the_same_id_and_none_has_a_dot() -> None:
    ids = {alert(threshold_pct=50).id, alert().id, alert(period="total").id, alert(id="1-b").id}
    assert len(ids) == 4
    assert not any("." in one for one in ids)


def test_pauses_double_up_to_the_longest() -> None:
    pauses = [pause_seconds(attempts, seconds_max=20, jitter=0) for attempts in range(1, 6)]
    assert pauses == [PAUSE_SECONDS_MIN, 8, 16, 20, 20]
    assert pause_seconds(1, seconds_max=20, jitter=1) == PAUSE_SECONDS_MIN / 2


@given(st.integers(1, 10**9), st.floats(0, 1), st.floats(0.001, 604_800))
def test_a_pause_is_within_its_limits_after_any_number_of_attempts(
    attempts: int, jitter: float, seconds_max: float
) -> None:
    pause = pause_seconds(attempts, seconds_max=seconds_max, jitter=jitter)
    assert 0 < pause <= seconds_max
    assert pause >= min(PAUSE_SECONDS_MIN, seconds_max) / 2
