"""What cannot be used is refused before anything starts, and what changes is heard."""

from pathlib import Path

import pytest

from gateway.adapters.price_format import PriceFileInvalid
from gateway.app.parts import Parts
from tests.journeys.stage import settings_for

NOWHERE = "http://127.0.0.1:9/v1"


@pytest.mark.parametrize("url", ["mysql://x", "sqlite://", ""])
def test_a_database_that_is_none_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError, match="database"):
        Parts(settings_for(tmp_path, NOWHERE, database={"url": url}), None)


def test_a_price_file_that_is_none_is_refused(tmp_path: Path) -> None:
    own = tmp_path / "prices.toml"
    own.write_text("models = 3")
    with pytest.raises(PriceFileInvalid, match="models"):
        Parts(settings_for(tmp_path, NOWHERE, prices={"file": own}), None)
