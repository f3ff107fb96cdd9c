"""What is counted is what was generated, whatever became of the bytes."""

import json
from pathlib import Path

from gateway.simulator.oracle import Oracle, Served

SERVED = Served(
    request_index=4,
    response_id="resp_1",
    model="gpt-5.6",
    service_tier="default",
    usage={"input_tokens": 1},
    tool_usage={},
    outcome="completed",
)


def test_a_response_counts_before_its_bytes_and_is_finished_after() -> None:
    oracle = Oracle()
    index = oracle.generated(SERVED)
    assert oracle.served == [SERVED]
    oracle.finished(index, is_complete=True, body_bytes=9)
    assert (oracle.served[0].is_complete, oracle.served[0].body_bytes) == (True, 9)
    assert json.loads(oracle.json_lines())["response_id"] == "resp_1"


def test_what_ends_after_a_reset_is_forgotten() -> None:
    oracle = Oracle()
    before = oracle.generated(SERVED)
    oracle.reset()
    after = oracle.generated(SERVED)
    oracle.finished(before, is_complete=True, body_bytes=1)
    assert oracle.served == [SERVED]
    assert after != before


def test_the_log_has_the_money_at_once(tmp_path: Path) -> None:
    path = tmp_path / "served.jsonl"
    for _ in range(2):
        oracle = Oracle(path)
        oracle.generated(SERVED)
        line = json.loads(path.read_text().splitlines()[-1])
        assert line["usage"] == {"input_tokens": 1}
        assert "is_complete" not in line
        oracle.close()
    assert len(path.read_text().splitlines()) == 2
