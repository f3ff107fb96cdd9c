"""The record that ledger, metrics and log read."""

import pytest

from gateway.core.exchange import Basis, Outcome
from tests import builders


def test_an_exchange_is_its_holds() -> None:
    exchange = builders.exchange(hold=builders.hold(tenant="acme/x"))
    assert (exchange.tenant, exchange.priced_model) == ("acme/x", "gpt-test")
    assert exchange.price_version == builders.CARD.version


def test_a_model_without_a_price_has_no_name_in_the_book() -> None:
    exchange = builders.exchange(hold=builders.hold(price=None, model="anything"))
    assert (exchange.priced_model, exchange.price_version) == (None, None)


def test_the_model_is_the_one_that_was_priced_where_another_answered() -> None:
    exchange = builders.exchange(price=builders.price(name="gpt-other", version="other"))
    assert (exchange.priced_model, exchange.price_version) == ("gpt-other", "other")


def test_the_words_are_those_that_operators_read() -> None:
    assert {str(outcome) for outcome in Outcome} == {
        "completed", "incomplete", "failed", "cancelled", "refused", "aborted",
    }  # fmt: skip
    assert {str(basis) for basis in Basis} == {"reported", "retrieved", "worst_case", "none"}


def test_a_record_is_never_rewritten() -> None:
    with pytest.raises(AttributeError):
        builders.exchange().cost_pusd = 0  # type: ignore[misc]  # the assignment is the test
