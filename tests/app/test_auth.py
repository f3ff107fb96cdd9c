"""Whose key a request shows, with real keys in a real database."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.adapters import schema
from gateway.adapters.database import open_engine
from gateway.adapters.directory import Directory
from gateway.adapters.tenants import Tenants
from gateway.app.attempts import FailedAttempts
from gateway.app.auth import Authenticator
from gateway.core.errors import InvalidRequest, TooManyFailedAttempts, Unauthorized
from gateway.core.tenant import Tenant, key_text


def now_us() -> int:
    return time.time_ns() // 1000


def door(tenants: Tenants) -> Authenticator:
    return Authenticator(tenants=tenants, attempts=FailedAttempts(per_minute_max=20))


class World:
    """One tenant with one key."""

    def __init__(self, directory: Directory, tenants: Tenants) -> None:
        self.directory = directory
        self.tenants = tenants
        directory.create_tenant("acme/search")
        self.key = directory.issue_key("acme/search")
        self.door = door(tenants)

    async def shown(self, *values: str) -> Tenant:
        headers = [(b"host", b"a"), *((b"authorization", each.encode()) for each in values)]
        return await self.door.tenant_of(headers, peer="192.0.2.1")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    engine = open_engine(f"sqlite:///{tmp_path}/gateway.db")
    schema.metadata.create_all(engine)
    yield World(
        Directory(engine=engine, now_us=now_us),
        # Nothing that is known is fresh: every request is looked up.
        Tenants(engine=engine, now_us=now_us, fresh_seconds=-1),
    )
    engine.dispose()


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "BEARER  {} "])
async def test_a_key_is_its_tenant(world: World, form: str) -> None:
    tenant = await world.shown(form.format(world.key.text))
    assert tenant == Tenant(path="acme/search", key_id=world.key.id)


async def test_a_key_that_is_known_costs_no_lookup(world: World, tmp_path: Path) -> None:
    elsewhere = open_engine(f"sqlite:///{tmp_path}/gateway.db")
    one = door(Tenants(engine=elsewhere, now_us=now_us, fresh_seconds=60))
    headers = [(b"authorization", f"Bearer {world.key.text}".encode())]
    first = await one.tenant_of(headers, peer="")
    world.directory.revoke_key(world.key.id)
    assert await one.tenant_of(headers, peer="") is first
    elsewhere.dispose()


@pytest.mark.parametrize(
    "values", [[], [""], ["Bearer"], ["Basic abc"], ["gw_abc"], ["Bearerx gw_abc"]]
)
async def test_no_key_is_told_how_to_send_one(world: World, values: list[str]) -> None:
    with pytest.raises(Unauthorized, match="Authorization: Bearer gw_"):
        await world.shown(*values)


@pytest.mark.parametrize("key", ["sk-other", "gw_", "gw_é", "gw_" + "a" * 12 + "_" + "b" * 49])
async def test_what_cannot_be_a_key_is_malformed(world: World, key: str) -> None:
    with pytest.raises(Unauthorized, match="malformed"):
        await world.shown(f"Bearer {key}")


async def test_a_key_with_a_typing_mistake_is_malformed(world: World) -> None:
    text = world.key.text
    wrong = text[:20] + ("A" if text[20] != "A" else "B") + text[21:]
    with pytest.raises(Unauthorized, match="malformed"):
        await world.shown(f"Bearer {wrong}")


async def test_a_key_of_another_gateway_is_unknown(world: World) -> None:
    for key_id in ("a" * 12, world.key.id):
        with pytest.raises(Unauthorized, match="unknown"):
            await world.shown(f"Bearer {key_text(key_id, 'b' * 43)}")


async def test_a_revoked_key_and_a_suspended_tenant_are_refused(world: World) -> None:
    await world.shown(f"Bearer {world.key.text}")
    other = world.directory.issue_key("acme/search")
    world.directory.revoke_key(world.key.id)
    with pytest.raises(Unauthorized, match="revoked"):
        await world.shown(f"Bearer {world.key.text}")
    world.directory.suspend("acme")
    with pytest.raises(Unauthorized, match="suspended"):
        await world.shown(f"Bearer {other.text}")


async def test_two_keys_are_no_key(world: World) -> None:
    right = f"Bearer {world.key.text}"
    with pytest.raises(InvalidRequest, match="exactly one") as raised:
        await world.shown(right, right)
    assert (raised.value.status, raised.value.code) == (400, "invalid_headers")


async def test_a_refusal_never_repeats_the_key(world: World) -> None:
    secret = key_text("a" * 12, "b" * 43)
    for shown in (f"Bearer {secret}", f"Bearer {secret}x", f"Basic {secret}"):
        with pytest.raises(Unauthorized) as raised:
            await world.shown(shown)
        assert "b" * 43 not in raised.value.message


@pytest.mark.parametrize(
    "shown", [[], ["Bearer gw_wrong"], [f"Bearer {key_text('a' * 12, 'b' * 43)}"]]
)
async def test_an_address_that_fails_too_often_is_not_looked_up(
    world: World, shown: list[str]
) -> None:
    other = world.directory.issue_key("acme/search")
    await world.shown(f"Bearer {world.key.text}")
    for _ in range(20):
        with pytest.raises(Unauthorized):
            await world.shown(*shown)
    for attempt in (shown, [f"Bearer {other.text}"]):
        with pytest.raises(TooManyFailedAttempts) as raised:
            await world.shown(*attempt)
        assert raised.value.retry_after_seconds is not None
    assert await world.shown(f"Bearer {world.key.text}"), "memory holds it as right"
