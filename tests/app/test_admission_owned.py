"""What a body that costs names by id is looked up before its hold."""

from typing import Any

import pytest

from gateway.core.errors import NotFound
from gateway.core.policy import Policy
from tests.app.test_admission import permitted
from tests.fakes.rules import Owners


async def test_what_a_body_names_is_the_tenants_own_or_listed_by_its_policy() -> None:
    fields: dict[str, Any] = {"prompt": {"id": "pmpt_1"}, "previous_response_id": "resp_1"}
    owners = Owners("resp_1")
    await permitted(owners=owners, policy=Policy(objects=("pmpt_1",)), **fields)
    assert owners.asked == ["resp_1"]
    with pytest.raises(NotFound) as refused:
        await permitted(owners=owners, **fields)
    assert refused.value.param == "prompt.id"


async def test_nobody_is_asked_for_a_request_that_names_nothing() -> None:
    owners = Owners()
    await permitted(owners=owners, input=[{"role": "user", "content": "resp_1"}])
    assert owners.asked == []
