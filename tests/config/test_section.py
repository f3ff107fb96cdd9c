"""What every section has in common."""

import pytest
from pydantic import ValidationError

from gateway.config.section import Section


class Shape(Section):
    corners: int = 4
    """How many."""


def test_a_section_is_frozen_knows_its_names_and_keeps_a_wrong_value_to_itself() -> None:
    shape = Shape()
    with pytest.raises(ValidationError, match="frozen"):
        shape.corners = 5  # type: ignore[misc]  # the very mistake
    with pytest.raises(ValidationError, match="Extra inputs"):
        Shape.model_validate({"sides": 4})
    with pytest.raises(ValidationError) as refused:
        Shape.model_validate({"corners": "hidden-word"})
    assert "hidden-word" not in str(refused.value)
    assert Shape.model_fields["corners"].description == "How many."
