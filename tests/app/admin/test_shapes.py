"""What may be asked for: names that are not known and money that is no string are refused."""

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from gateway.app.admin.shapes import BudgetGiven, NewTenant, PolicyChange, PriceGiven, Usd
from gateway.core.money import to_usd


@pytest.mark.parametrize("pusd", [0, 1, -1, 10**12, 4_000_000 * 10**12])
def test_money_that_is_told_has_twelve_decimals(pusd: int) -> None:
    assert TypeAdapter(Usd).validate_python(to_usd(pusd)) == to_usd(pusd)


@pytest.mark.parametrize("usd", [1, 1.5, "1e3", "-1", "1.", ".5", "1,5", "1.0000000000001", ""])
def test_money_that_is_given_is_a_decimal_string(usd: object) -> None:
    with pytest.raises(ValidationError):
        BudgetGiven.model_validate({"period": "day", "limit_usd": usd})
    BudgetGiven.model_validate({"period": "day", "limit_usd": "1.5"})


def test_unknown_names_are_refused() -> None:
    known_by_shape: dict[type[BaseModel], dict[str, str]] = {
        NewTenant: {"path": "a"},
        PriceGiven: {},
        BudgetGiven: {"period": "day"},
    }
    for shape, known in known_by_shape.items():
        shape.model_validate(known)
        with pytest.raises(ValidationError, match="Extra inputs"):
            shape.model_validate({**known, "more": 1})
    with pytest.raises(ValidationError, match="a policy has no field"):
        TypeAdapter(PolicyChange).validate_python({"stor": "deny"})
