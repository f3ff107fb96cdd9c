"""What a tenant sees: its own, all of it, and nothing else."""

from sqlalchemy import Engine

from gateway.adapters.ledger import Ledger
from gateway.adapters.statements import Statements
from gateway.core.tenant import Tenant
from tests import builders
from tests.builders import AT_US

DAY_US = 86_400_000_000
ACME = Tenant(path="acme", key_id="k00000000001")


async def test_today_is_a_part_of_the_month(ledger: Ledger, engine: Engine) -> None:
    for number, at_us in enumerate((AT_US, AT_US - DAY_US, AT_US - 40 * DAY_US)):
        for tenant in ("acme", "acme/below", "acmes"):
            hold = builders.hold(
                request_id=f"{tenant}-{number}", tenant=tenant, created_at_us=at_us
            )
            await ledger.settle(builders.exchange(hold=hold, response_id=f"resp_{tenant}{number}"))
    statements = Statements(engine=engine, now_us=lambda: AT_US)
    usage = statements.usage(ACME)
    assert isinstance(usage["today"], dict)
    assert isinstance(usage["month"], dict)
    assert (usage["today"]["requests"], usage["month"]["requests"]) == (1, 2)
    assert (usage["today"]["cost_usd"], usage["budgets"]) == ("0.000360000000", [])
    nobody = statements.usage(Tenant(path="acm", key_id="k"))
    assert nobody["month"] == {**usage["month"], **dict.fromkeys(_counts(usage), 0), **_ZERO}


async def test_a_bill_is_found_by_either_id_and_by_nobody_else(
    ledger: Ledger, engine: Engine
) -> None:
    hold = builders.hold(request_id="a", tenant="acme")
    await ledger.settle(builders.exchange(hold=hold, response_id="resp_a"))
    statements = Statements(engine=engine, now_us=lambda: AT_US)
    bill = statements.bill(ACME, "a")
    assert bill is not None
    assert (bill["object"], bill["id"], bill["cost_usd"]) == (
        "gateway.request",
        "a",
        "0.000360000000",
    )
    assert statements.bill(ACME, "resp_a") == bill
    for path in ("acme/below", "acm", "beta"):
        assert statements.bill(Tenant(path=path, key_id="k"), "a") is None
    assert statements.bill(ACME, "b") is None


_ZERO = {"cost_usd": "0.000000000000"}


def _counts(usage: dict[str, object]) -> list[str]:
    month = usage["month"]
    assert isinstance(month, dict)
    return [name for name, value in month.items() if isinstance(value, int)]
