"""The shapes have exactly the names of the documents: a new one that is not told here fails."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from gateway.adapters.alerts import Raised, raised_document
from gateway.adapters.audit import AuditRow as Audited
from gateway.adapters.audit import Deed, audit_document
from gateway.app.admin.ledger_shapes import AlertTold, AuditRow, Usage
from tests import builders

DEED = Deed(author="a", at_us=0, action="b", subject="c", tenant=None, after={"x": 1})


@pytest.mark.parametrize(
    ("shape", "document"),
    [
        (
            AlertTold,
            raised_document(Raised(alert=builders.alert(), delivered_at_us=None, attempts=1)),
        ),
        (AuditRow, audit_document(Audited(n=1, deed=DEED))),
        (AuditRow, audit_document(Audited(n=1, deed=replace(DEED, before={"x": 2})))),
    ],
)
def test_documents_and_shapes_agree(shape: type[BaseModel], document: dict[str, Any]) -> None:
    assert shape.model_validate(document).model_dump(mode="json").keys() == document.keys()
    with pytest.raises(ValidationError):
        shape.model_validate({**document, "more": 1})


def test_usage_has_what_it_was_told_apart_by() -> None:
    sums = dict.fromkeys(Usage.model_fields, 0) | {"cost_usd": "0.000000000000"}
    told = Usage.model_validate({"tenant": "acme", "tag:team": None, **sums})
    assert told.model_dump()["tag:team"] is None
