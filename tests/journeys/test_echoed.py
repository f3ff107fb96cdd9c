"""An item beside its content passes; that its id comes back in an answer makes nobody its owner."""

from pathlib import Path

import httpx

from tests.journeys.stage import stage

ECHOED = ["msg_echo_in_input", "msg_echo_in_compaction", "msg_echo_in_list", "msg_echo_added"]


async def test_an_echo_makes_nobody_an_owner(tmp_path: Path) -> None:
    async with (
        stage(tmp_path) as scene,
        httpx.AsyncClient(
            base_url=scene.base_url, headers=scene.headers, trust_env=False, timeout=60
        ) as client,
    ):
        heard = [await again(client, name, way) for way, name in enumerate(ECHOED)]
    assert heard == [404] * len(ECHOED)


async def again(client: httpx.AsyncClient, name: str, way: int) -> int:
    """Have an answer bring an item's id by bringing it ourselves, then name it alone."""
    echo = {"type": "message", "id": name, "role": "user", "content": "Hello"}
    ask = {"model": "gpt-5-mini"}
    if way == 0:
        made = (await client.post("/responses", json={**ask, "input": [echo]})).json()
        shown = await client.get(f"/responses/{made['id']}/input_items")
    elif way == 1:
        shown = await client.post("/responses/compact", json={**ask, "input": [echo]})
    else:
        given = [echo] if way == 2 else []
        made = (await client.post("/conversations", json={"items": given})).json()
        shown = await client.post(f"/conversations/{made['id']}/items", json={"items": [echo]})
        if way == 2:
            await client.get(f"/conversations/{made['id']}/items/{name}")
            shown = await client.get(f"/conversations/{made['id']}/items")
    assert shown.status_code == 200, shown.text
    assert name in shown.text or way == 1
    alone = {**ask, "input": [{"type": "item_reference", "id": name}]}
    return (await client.post("/responses", json=alone)).status_code
