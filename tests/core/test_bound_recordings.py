"""No recorded usage is beyond the bound of the request that it was reported for.

Each request is bounded soundly, or has no bound and the reason is told; what is only text and
functions always has one. Run with `-s` to see the counts.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from gateway.adapters.pricefile import load_prices
from gateway.core.bound import Bound, BoundInput, bound
from gateway.core.prices import ModelPrice
from gateway.core.request import ResponseRequest
from gateway.core.tool_use import ToolUse, tool_use_from
from gateway.core.usage import Usage, usage_from
from tests.builders import price
from tests.recordings import Row, index_rows, recordings_folder

pytestmark = pytest.mark.needs_recordings

BOOK = load_prices()
NOW_US = 1_795_305_600_000_000  # 2026-11-22
ANY_CARD = price(prompt_overhead_tokens=64)  # to bound the tokens of models without a card of ours
ELSEWHERE = ("api.x.ai", "api.deepseek.com", "openrouter.ai")  # with prompts of their own


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    row: Row
    request: ResponseRequest
    usage: Usage
    tools: ToolUse

    @property
    def price(self) -> ModelPrice | None:
        return BOOK.find(self.request.model, NOW_US)

    @property
    def is_text_and_functions(self) -> bool:
        request = self.request
        plain = (request.content.missing, request.previous_response_id, request.hosted_tools)
        return not any(plain) and not request.content.images and not request.fields.keys() & {
            "context_management", "prompt", "provider",
        }  # fmt: skip


def cases() -> Iterator[Case]:
    for row in index_rows(api="responses"):
        name = re.sub(r"\.(sse|json)$", ".request.json", row.file)
        path = recordings_folder() / name
        if row.usage is None or row.path.endswith("/input_tokens") or not path.exists():
            continue
        fields = json.loads(path.read_bytes())["request"]
        if not isinstance(fields, dict) or "_omitted" in fields or "model" not in fields:
            continue
        body = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
        usage = usage_from(row.usage)
        assert usage is not None
        yield Case(
            row=row,
            request=ResponseRequest.parse(body),
            usage=usage,
            tools=tool_use_from(row.tool_usage, {}, ()),
        )


def bounded(case: Case, card: ModelPrice) -> Bound:
    return bound(BoundInput(request=case.request), card)


def is_sound(case: Case, card: ModelPrice, worst: Bound) -> bool:
    cost = card.cost(usage=case.usage, tools=case.tools, service_tier=case.row.service_tier or None)
    return (
        worst.input_tokens_max >= case.usage.input_tokens
        and worst.output_tokens_max >= case.usage.output_tokens
        and (cost.cost_pusd or 0) <= worst.hold_pusd
    )


def test_every_recorded_usage_is_within_its_bound() -> None:
    found: Counter[str] = Counter()
    unsound = []
    for case in cases():
        found["with a card" if case.price else "without a card: refused, or not priced"] += 1
        if case.row.host in ELSEWHERE:
            assert case.price is None
            continue
        worst = bounded(case, case.price or ANY_CARD)
        if worst.unbounded:
            found[f"unbounded: {worst.unbounded[0].field}"] += 1
            assert not case.is_text_and_functions, (case.row.file, worst.unbounded)
            continue
        found["text and functions" if case.is_text_and_functions else "bounded otherwise"] += 1
        if not is_sound(case, case.price or ANY_CARD, worst):
            unsound.append((case.row.file, case.usage, worst.reasons))
    print("\n" + "\n".join(f"{count:4} {what}" for what, count in sorted(found.items())))
    assert unsound == []
    assert found["text and functions"] > 200


def test_what_was_asked_for_bounds_what_was_written() -> None:
    limited = [case for case in cases() if case.request.max_output_tokens is not None]
    assert len(limited) > 10
    assert all(
        case.usage.output_tokens <= (case.request.max_output_tokens or 0) for case in limited
    )


def test_encrypted_reasoning_is_longer_than_what_it_stands_for() -> None:
    found = 0
    for row in index_rows(api="responses", stream=False):
        body = json.loads(row.read())
        usage = usage_from(body.get("usage")) if isinstance(body, dict) else None
        items = [item for item in (body.get("output") or []) if item["type"] == "reasoning"]
        size = sum(len(item.get("encrypted_content") or "") for item in items)
        if usage is not None and size:
            found += 1
            assert size > usage.reasoning_tokens
    assert found > 0
