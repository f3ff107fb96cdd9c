"""What needs a look: counted of the last hour, of a tenant's own, and only while it is so."""

from sqlalchemy import Engine, insert

from gateway.adapters import schema
from gateway.adapters.attention import Signs, signs
from gateway.adapters.database import write_transaction
from gateway.adapters.ledger import Ledger
from gateway.adapters.refusals import refusal_row
from gateway.core.exchange import Basis, Outcome
from tests import builders
from tests.builders import AT_US, HOUR_US

NOTHING = Signs(seen=0, broken=0, unpriced=0, refused=0, untold=0)


async def test_nothing_needs_a_look_at_first(ledger: Ledger, engine: Engine) -> None:
    assert signs(engine, tenant=None, now_us=AT_US) == NOTHING


async def test_each_sign_is_counted_where_it_belongs(ledger: Ledger, engine: Engine) -> None:
    for name, tenant, outcome, pusd in (
        ("a", "acme", Outcome.COMPLETED, 5),
        ("b", "acme/search", Outcome.FAILED, 5),
        ("c", "acme-x", Outcome.ABORTED, 5),
        ("d", "globex", Outcome.COMPLETED, None),
    ):
        hold = builders.hold(request_id=name, tenant=tenant)
        await ledger.settle(builders.exchange(hold=hold, outcome=outcome, cost_pusd=pusd))
    ledger.note(refusal_row(builders.hold(tenant="acme"), code="c", message="m", reasons=()))
    alert = {"budget_id": "b", "period_start_us": 0, "threshold_pct": 50, "at_us": AT_US}
    with write_transaction(engine) as connection:
        connection.execute(insert(schema.alert).values(**alert, attempts=1, due_at_us=AT_US + 9))
    await ledger.settle(builders.exchange(hold=builders.hold(request_id="e", tenant="globex")))
    assert signs(engine, tenant=None, now_us=AT_US) == Signs(
        seen=5, broken=2, unpriced=1, refused=1, untold=1
    )
    assert signs(engine, tenant="acme", now_us=AT_US) == Signs(
        seen=2, broken=1, unpriced=0, refused=1, untold=0
    )
    later = signs(engine, tenant=None, now_us=AT_US + HOUR_US + 1)
    assert (later.seen, later.refused, later.unpriced) == (0, 0, 1)


async def test_what_has_been_priced_since_is_no_sign(ledger: Ledger, engine: Engine) -> None:
    hold = builders.hold(request_id="a")
    await ledger.settle(builders.exchange(hold=hold, basis=Basis.REPORTED, cost_pusd=None))
    assert signs(engine, tenant=None, now_us=AT_US).unpriced == 1
    row = {"request_id": "a", "kind": "repriced", "delta_pusd": 5, "at_us": AT_US, "note": ""}
    with write_transaction(engine) as connection:
        connection.execute(insert(schema.adjustment).values(**row))
    assert signs(engine, tenant=None, now_us=AT_US).unpriced == 0
