"""New credentials are well formed, and never the same."""

import pytest

from gateway.adapters.credentials import new_credential
from gateway.core.tenant import present


@pytest.mark.parametrize("prefix", ["gw", "gwa"])
def test_it_is_well_formed_and_of_its_kind_only(prefix: str) -> None:
    credential_id, text = new_credential(prefix)
    presented = present(text, prefix=prefix)
    assert presented is not None
    assert presented.id == credential_id
    assert present(text, prefix="gwa" if prefix == "gw" else "gw") is None


def test_no_two_are_the_same() -> None:
    made = [new_credential("gw") for _ in range(100)]
    assert len({one[0] for one in made}) == len({one[1] for one in made}) == len(made)
