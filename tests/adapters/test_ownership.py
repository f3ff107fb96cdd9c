"""Who owns what: the same from memory, from the ledger and from the records; nothing of others."""

from collections.abc import Sequence

import pytest
from sqlalchemy import Engine, select

from gateway.adapters import schema
from gateway.adapters.item_shelves import put_on_shelves
from gateway.adapters.ledger import Ledger
from gateway.adapters.ownership import KEPT_MAX, Ownership
from gateway.core.errors import LedgerUnavailable, NotFound
from gateway.core.exchange import Exchange
from gateway.core.item_keys import PERIOD_US, PERIODS_KEPT
from gateway.core.ownership import Kind, Reference
from tests import builders

OURS, THEIRS = "acme/search", "acme"


def owners(engine: Engine, now_us: int = builders.AT_US) -> Ownership:
    return Ownership(engine=engine, now_us=lambda: now_us)


def named(*ids: str, kind: Kind = Kind.FILE) -> list[Reference]:
    return [Reference(kind, one, "place") for one in ids]


def exchange() -> Exchange:
    return builders.exchange(item_ids=("msg_1", "rs_1"), container_ids=("cntr_1",))


async def refused(who: Ownership, ids: Sequence[Reference], tenant: str) -> str:
    with pytest.raises(NotFound) as caught:
        await who.check(ids, tenant)
    return caught.value.message


MADE = {
    "response": named("resp_1", kind=Kind.RESPONSE),
    "items": named("msg_1", "rs_1", kind=Kind.ITEM),
    "container": named("cntr_1", kind=Kind.CONTAINER),
}


@pytest.mark.parametrize("what", MADE)
async def test_what_an_entry_says(engine: Engine, ledger: Ledger, what: str) -> None:
    await ledger.settle(exchange())
    for _ in range(2):  # from the database, then from memory
        await owners(engine).check(MADE[what], OURS)
        for tenant in (THEIRS, "acme/search/ana", "ACME/search", ""):
            first = MADE[what][0].id
            assert f"{first!r} not found" in await refused(owners(engine), MADE[what], tenant)


async def test_what_a_hold_says(engine: Engine, ledger: Ledger) -> None:
    hold = await ledger.hold(builders.hold())
    ledger.opened(hold.request_id, "resp_1")
    await ledger.hold(builders.hold())  # with the next batch
    await owners(engine).check(MADE["response"], OURS)
    await refused(owners(engine), MADE["response"], THEIRS)


async def test_an_exchange_is_remembered_without_the_database(engine: Engine) -> None:
    ours = owners(engine)
    ours(exchange())
    ours(builders.exchange(response_id=None))
    schema.metadata.drop_all(engine)
    await ours.check(MADE["response"] + MADE["container"], OURS)
    for tenant, ids in ((THEIRS, MADE["response"]), (OURS, named("file_1")), (OURS, MADE["items"])):
        with pytest.raises(LedgerUnavailable):
            await ours.check(ids, tenant)
    with pytest.raises(LedgerUnavailable):
        await ours.made("file", "file_1", OURS)


async def test_what_was_made_is_owned_until_it_is_gone(engine: Engine) -> None:
    ours, elsewhere = owners(engine), owners(engine)
    await ours.made("conversation", "conv_1", OURS)
    await ours.made("conversation", "conv_1", THEIRS)  # the first who made it
    for one in (ours, elsewhere):
        await one.check(named("conv_1"), OURS)
    await refused(elsewhere, named("conv_1"), THEIRS)
    await elsewhere.gone("conv_1", THEIRS)
    await owners(engine).check(named("conv_1"), OURS)
    await ours.gone("conv_1", OURS)
    await refused(ours, named("conv_1"), OURS)


async def test_the_first_that_is_not_ours_is_told(engine: Engine) -> None:
    ours = owners(engine)
    await ours.made("file", "file_1", OURS)
    ids = named("file_1", "file_2", "file_3")
    assert "'file_2'" in await refused(ours, ids, OURS)
    assert await ours.of(OURS, ["file_1", "file_2"]) == {"file_1"}


@pytest.mark.parametrize("name", ["", "\0", "resp\0_1", "\ud800", "x" * 300, "RESP_1", "resp_1 "])
@pytest.mark.parametrize("kind_of", [Kind.RESPONSE, Kind.ITEM, Kind.FILE])
async def test_what_cannot_be_an_id_is_not_there(
    engine: Engine, ledger: Ledger, name: str, kind_of: Kind
) -> None:
    await ledger.settle(exchange())
    await refused(owners(engine), named(name, kind=kind_of), OURS)


async def test_items_of_lists_are_known_for_as_long_as_they_are_kept(engine: Engine) -> None:
    ours = owners(engine)
    for _ in range(2):
        await ours.answered(["msg_1", "msg_2"], OURS)
    await ours.answered([], OURS)
    with engine.connect() as connection:
        assert len(connection.execute(select(schema.item_log)).all()) == 1
    put_on_shelves(engine)
    wanted = named("msg_1", "msg_2", kind=Kind.ITEM)
    await owners(engine, builders.AT_US + 30 * 86_400_000_000).check(wanted, OURS)
    await refused(owners(engine), wanted, THEIRS)
    await refused(owners(engine, builders.AT_US + (PERIODS_KEPT + 1) * PERIOD_US), wanted, OURS)


async def test_the_oldest_is_read_again(engine: Engine, ledger: Ledger) -> None:
    ours = owners(engine)
    await ledger.settle(builders.exchange())
    for number in range(KEPT_MAX + 1):
        ours(builders.exchange(response_id=f"resp_{number}"))
    schema.owned.drop(engine)  # not asked for responses
    await ours.check(named("resp_1", "resp_0", kind=Kind.RESPONSE)[:1], OURS)
    with pytest.raises(NotFound):
        await ours.check(named("resp_0", kind=Kind.RESPONSE), OURS)
