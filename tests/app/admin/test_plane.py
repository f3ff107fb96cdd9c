"""The admin API as a whole: what it says of itself is so, whatever it is asked.

Not here: who may do what (`tests/security/test_admin_scopes.py`), or the single routes.
"""

import asyncio
import json
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import (
    CheckFunction,
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.core.result import Ok

from gateway.app.admin.plane import BODY_BYTES_MAX
from tests.app.admin.scene import OURS, ROOT_TOKEN, Scene

CHECKS: list[CheckFunction] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def explore(on: Scene, description: dict[str, Any], examples_max: int) -> int:
    """Ask every operation for what its description allows, and for what it does not.

    Half of it names what exists: else nothing would get beyond being not found.
    """
    schema = schemathesis.openapi.from_dict(description)
    known = {"path": OURS, "subject": OURS, "key_id": on.ours.key_id, "model": "gpt-5-mini"}
    headers = {"authorization": f"Bearer {ROOT_TOKEN}"}
    count = 0
    with requests.Session() as session:
        for operation in schema.get_all_operations():
            assert isinstance(operation, Ok)
            asked = operation.ok()
            cases = st.one_of(
                asked.as_strategy(schemathesis.GenerationMode.POSITIVE),
                asked.as_strategy(schemathesis.GenerationMode.NEGATIVE),
            )

            @settings(
                max_examples=examples_max, suppress_health_check=list(HealthCheck), database=None
            )
            @given(case=cases, is_known=st.booleans())
            def run(case: schemathesis.Case[Any], is_known: bool) -> None:
                if is_known:
                    names = case.path_parameters.keys() & known.keys()
                    case.path_parameters |= {name: known[name] for name in names}
                told = case.call(base_url=on.url, session=session, headers=headers)
                case.validate_response(told, checks=CHECKS)

            run()
            count += 1
    return count


async def everything(on: Scene, examples_max: int) -> None:
    description = await on.read("/openapi.json")
    operations = sum(len(methods) for methods in description["paths"].values())
    found = await asyncio.to_thread(explore, on, description, examples_max)
    assert found == operations > 20


async def test_nothing_that_it_is_asked_breaks_it(on: Scene) -> None:
    await everything(on, 10)


@pytest.mark.long
async def test_nothing_at_all_breaks_it(on: Scene) -> None:
    await everything(on, 200)


async def test_whoever_has_no_token_is_answered_before_the_body_is_read(on: Scene) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", on.on.port)
    writer.write(
        b"POST /admin/v1/tenants HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        b"content-length: 1000\r\n\r\n"
    )
    assert b" 401 " in await asyncio.wait_for(reader.readline(), 20), "no byte of it was sent"
    writer.close()


async def test_a_body_has_a_limit(on: Scene) -> None:
    told = await on.ask("POST", "/tenants", content=b" " * (BODY_BYTES_MAX + 1))
    assert (told.status_code, told.json()["code"]) == (413, "request_too_large")
    assert told.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/tenants/a%0Ab", 404, "not_found"),
        ("PUT", "/tenants", 405, "method_not_allowed"),
        ("GET", "/tenants?limit=0", 422, "invalid_request"),
        ("GET", "/tenants?after=nonsense", 400, "invalid_request"),
        ("GET", "/entries?after=WzEsMl0=", 400, "invalid_request"),
    ],
)
async def test_every_error_is_a_problem(
    on: Scene, method: str, path: str, status: int, code: str
) -> None:
    told = await on.ask(method, path)
    said = told.json()
    assert told.headers["content-type"] == "application/problem+json"
    assert (told.status_code, said["status"], said["code"]) == (status, status, code)
    assert said["title"]
    assert said["detail"]


async def test_two_tokens_are_none(on: Scene) -> None:
    headers = [("authorization", f"Bearer {ROOT_TOKEN}")] * 2
    told = await on.client.get(f"{on.url}/tenants", headers=headers)
    assert (told.status_code, told.json()["code"]) == (400, "invalid_headers")


async def test_the_description_has_examples(on: Scene) -> None:
    said = await on.read("/openapi.json")
    assert said["servers"] == [{"url": "/admin/v1"}]
    shapes = said["components"]["schemas"]
    given = ("NewTenant", "NewKey", "TenantChange", "BudgetGiven", "PriceGiven")
    for name in given:
        assert any("examples" in each for each in shapes[name]["properties"].values()), name
    floats = [
        f"{name}.{field}"
        for name, shape in shapes.items()
        for field, said in shape.get("properties", {}).items()
        if "usd" in field and '"number"' in json.dumps(said)
    ]
    assert floats == [], "money is a decimal string"
