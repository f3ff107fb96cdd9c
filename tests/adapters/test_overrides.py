"""Prices that administrators set are checked as files are, kept for good, and read back."""

import logging
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from gateway.adapters import schema
from gateway.adapters.database import write_transaction
from gateway.adapters.overrides import HEARD_US, Overrides, Said, overrides_in
from gateway.adapters.price_format import PriceFileInvalid
from gateway.adapters.pricefile import document_of
from gateway.core.layers import Override
from tests.adapters.conftest import now_us
from tests.builders import AT_US
from tests.fakes import ledgerview

OWN = """
as_of = 2026-11-22
prompt_overhead_tokens = 7
unpriced = ["own-2026-01-01"]
[models.own]
input_tokens_max = 1000
output_tokens_max = 100
[[models.own.prices]]
to = 2026-06-01
source = "contract"
default = { input = "1", output = "2" }
[[models.own.prices]]
from = 2026-06-01
source = "contract"
default = { input = "0.0000001", output = "2" }
[models.other]
"""


@pytest.fixture
def document(tmp_path: Path) -> bytes:
    path = tmp_path / "own.toml"
    path.write_text(OWN)
    return document_of(path, "own")


@pytest.fixture
def overrides(engine: Engine) -> Overrides:
    return Overrides(engine=engine, now_us=now_us)


def say(
    overrides: Overrides,
    document: bytes | None,
    *,
    from_us: int | None = AT_US,
    to_us: int | None = None,
) -> Said:
    return overrides.say("own", document, from_us=from_us, to_us=to_us, author="ana", note="why")


def read(engine: Engine) -> tuple[Override, ...]:
    with engine.connect() as connection:
        return overrides_in(connection)


def test_what_was_said_is_read_back(engine: Engine, overrides: Overrides, document: bytes) -> None:
    first = say(overrides, document, to_us=AT_US + 5)
    second = say(overrides, None)
    assert overrides.history("own") == overrides.history() == [first, second]
    assert overrides.history("other") == []
    assert (first.author, first.note, first.effective_to_us) == ("ana", "why", AT_US + 5)
    set_, unset = read(engine)
    assert (set_.number, set_.model, set_.from_us, set_.to_us) == (first.n, "own", AT_US, AT_US + 5)
    assert (unset.number, unset.cards) == (second.n, None)
    assert set_.cards is not None
    old, new = set_.cards
    assert old.effective_to_us == new.effective_from_us
    assert (new.version, new.prompt_overhead_tokens) == (f"database:{first.n}", 7)
    assert new.rounded == ("default.input",), "as in files: up to a whole picodollar"
    assert [one["kind"] for one in ledgerview.rows(engine, schema.change)] == ["price", "price"]


def test_now_is_when_all_have_heard(overrides: Overrides, document: bytes) -> None:
    before = now_us()
    said = say(overrides, document, from_us=None)
    assert said.effective_from_us == said.at_us + HEARD_US
    assert abs(said.at_us - before) < 60_000_000


@pytest.mark.parametrize("span", [(AT_US, AT_US), (AT_US, AT_US - 1), (None, AT_US)])
def test_a_span_that_cannot_be(
    engine: Engine, overrides: Overrides, document: bytes, span: tuple[int | None, int]
) -> None:
    if span[0] is None:
        span = None, now_us() + HEARD_US // 2
    with pytest.raises(ValueError, match="end before it begins"):
        say(overrides, document, from_us=span[0], to_us=span[1])
    assert not ledgerview.rows(engine, schema.price_override)


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (b'{"as_of":"2026-11-22","models":{}}', "own: the file has no prices of it"),
        (b"{", "own: is not JSON"),
        (b'{"as_of":"2026-11-22","models":{"own":{"prices":[]}}}', "own: models.own: "),
    ],
)
def test_what_no_file_may_say_cannot_be_set(
    engine: Engine, overrides: Overrides, broken: bytes, why: str
) -> None:
    with pytest.raises(PriceFileInvalid, match=why):
        say(overrides, broken)
    assert not ledgerview.rows(engine, schema.price_override)


def test_a_file_without_the_model_says_which_it_has(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(OWN)
    with pytest.raises(PriceFileInvalid, match="no prices of nothing, but of own, other"):
        document_of(path, "nothing")


def test_what_a_later_version_wrote_is_no_price(
    engine: Engine,
    overrides: Overrides,
    document: bytes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    say(overrides, document)
    with write_transaction(engine) as connection:
        connection.execute(update(schema.price_override).values(document='{"as_of":"x"}'))
    with caplog.at_level(logging.ERROR):
        (found,) = read(engine)
    assert found.cards == ()
    assert "the price of own cannot be read" in caplog.text
