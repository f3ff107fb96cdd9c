"""Tenants and keys over HTTP: what is made works at once on the data plane, and ends there."""

from typing import Any

import pytest

from tests.app.admin.scene import OURS, Scene
from tests.journeys.stage import body


async def created(on: Scene, where: str, **given: Any) -> Any:
    told = await on.ask("POST", where, json=given)
    assert told.status_code == 201, told.text
    return told.json()


async def test_a_new_tenants_key_is_taken_until_it_is_revoked(on: Scene) -> None:
    tenant = await created(on, "/tenants", path="fresh/team")
    assert (tenant["path"], tenant["suspended_at"]) == ("fresh/team", None)
    assert await created(on, "/tenants", path="fresh/team") == tenant, "it is there already"
    key = await created(on, "/keys", tenant="fresh/team", name="ci")
    bearer = {"authorization": f"Bearer {key['key']}"}
    url = f"{on.on.base_url}/responses"
    assert (await on.client.post(url, json=body(), headers=bearer)).status_code == 200
    shown = await on.read(f"/keys/{key['id']}")
    assert (shown["name"], shown["revoked_at"]) == ("ci", None)
    assert "key" not in shown

    assert (await on.ask("DELETE", f"/keys/{key['id']}")).status_code == 204
    assert (await on.client.post(url, json=body(), headers=bearer)).status_code in (200, 401)
    assert (await on.read(f"/keys/{key['id']}"))["revoked_at"]
    again = await on.ask("DELETE", f"/keys/{key['id']}")
    assert (again.status_code, again.json()["detail"]) == (
        404,
        f"the key '{key['id']}' is revoked",
    )


async def test_a_key_is_rotated(on: Scene) -> None:
    old = await created(on, "/keys", tenant=OURS, expires_at="2099-01-31T00:00:00Z")
    new = await created(on, f"/keys/{old['id']}/rotate", overlap_seconds=3600)
    shown = await on.read(f"/keys/{old['id']}")
    assert shown["replaced_by"] == new["id"]
    assert shown["expires_at"] < "2099"
    assert (await on.read(f"/keys/{new['id']}"))["expires_at"] == "2099-01-31T00:00:00.000000Z"


async def test_a_tenant_is_suspended_and_resumed(on: Scene) -> None:
    await created(on, "/tenants", path="pausing")
    for suspended in (True, False):
        told = await on.ask("PATCH", "/tenants/pausing", json={"suspended": suspended})
        assert (told.json()["suspended_at"] is not None) == suspended
    assert (await on.ask("PATCH", "/tenants/nobody", json={"suspended": True})).status_code == 404


async def test_lists_come_page_by_page(on: Scene) -> None:
    for name in ("a", "b", "c"):
        await created(on, "/tenants", path=f"pages/{name}")
        await created(on, "/keys", tenant=f"pages/{name}")
    for path, total in (("/tenants", None), ("/keys?tenant=pages", 3)):
        mark = "&" if "?" in path else "?"
        whole = (await on.read(f"{path}{mark}limit=1000"))["data"]
        seen: list[Any] = []
        after = ""
        while True:
            told = await on.read(f"{path}{mark}limit=2{after}")
            seen += told["data"]
            if told["next"] is None:
                break
            after = f"&after={told['next']}"
        assert seen == whole
        assert total in (None, len(seen))


@pytest.mark.parametrize(
    ("path", "given", "status", "why"),
    [
        ("/tenants", {"path": "Not A Path"}, 400, "is no tenant name"),
        ("/tenants", {"path": "a", "paths": "b"}, 422, "body.paths: Extra inputs"),
        ("/tenants", {"path": "a\u0000"}, 422, "body.path: String should match"),
        ("/keys", {"tenant": "nobody"}, 404, "There is no tenant 'nobody' here."),
        ("/keys", {"tenant": OURS, "expires_at": "2020-01-01"}, 400, "has passed"),
        ("/keys", {"tenant": OURS, "expires_at": "soon"}, 422, "body.expires_at"),
        ("/keys/0123456789ab/rotate", {"overlap_seconds": -1}, 422, "body.overlap_seconds"),
    ],
)
async def test_mistakes_are_told(
    on: Scene, path: str, given: dict[str, Any], status: int, why: str
) -> None:
    told = await on.ask("POST", path, json=given)
    assert told.status_code == status
    assert why in told.json()["detail"]
