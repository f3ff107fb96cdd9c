"""Sections about who calls: what a value may be."""

import pytest
from pydantic import ValidationError

from gateway.config.callers import Attribution, Ingress, Tenants


@pytest.mark.parametrize("given", ["10.0.0.0/8,192.0.2.7", ["10.0.0.0/8", "192.0.2.7"]])
def test_trusted_proxies_are_a_line_or_a_list(given: object) -> None:
    chosen = Ingress.model_validate({"trusted_proxies": given})
    assert chosen.trusted_proxies == "10.0.0.0/8,192.0.2.7"


@pytest.mark.parametrize("given", ["proxy", "10.0.0.1/8", 7])
def test_what_is_no_network_is_not_trusted(given: object) -> None:
    with pytest.raises(ValidationError):
        Ingress.model_validate({"trusted_proxies": given})


@pytest.mark.parametrize(("given", "usd"), [("25.00", "25.00"), (25, "25"), (0.5, "0.5")])
def test_a_new_tenants_budget_is_an_amount(given: object, usd: str) -> None:
    assert Tenants.model_validate({"budget_limit_usd": given}).budget_limit_usd == usd


@pytest.mark.parametrize("given", ["much", -1, True, "4000001", "0.0000000000001", [1]])
def test_what_no_budget_can_be_is_refused(given: object) -> None:
    with pytest.raises(ValidationError):
        Tenants.model_validate({"budget_limit_usd": given})


def test_names_of_tags_may_be_a_list_or_one_line() -> None:
    assert Attribution(tags="team,feature").tags == "team,feature"
    assert Attribution.model_validate({"tags": ["team", "feature"]}).tags == "team,feature"
    with pytest.raises(ValidationError, match="no name of a tag"):
        Attribution(tags="gw_agent")
