"""A table is what it must be, or the mistake is told with its place and what may be meant."""

import pytest

from gateway.adapters.price_format import File, PriceFileInvalid, Row, TokenPrices, converted


def test_a_table_becomes_what_it_must_be() -> None:
    row = {"source": "https://x", "default": {"input": "1", "audio": "32"}, "from": "2026-01-01"}
    found = converted(row, Row, where="here")
    assert found.default == TokenPrices(input="1", audio="32")
    assert found.since is not None
    assert (found.until, found.tools) == (None, None)


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({"as_of": "2026-01-01", "alias": {}}, "here: .*did you mean `aliases`"),
        ({"as_of": "2026-01-01", "contract": "0.85 %"}, r"contract"),
        ({"as_of": "2026-01-01", "windows": {"2h": 0.7}}, "Expected `str`, got `float`"),
        ({"as_of": "2026-01-01", "images": {"x": [{"source": "y"}]}}, "required field `default`"),
        ({"as_of": "2026-01-01", "unpriced": {"x": 5}}, "unpriced"),
    ],
)
def test_a_mistake_is_told_with_its_place(table: object, why: str) -> None:
    with pytest.raises(PriceFileInvalid, match=why):
        converted(table, File, where="here")


def test_names_without_a_price_may_have_reasons_or_none() -> None:
    given: list[dict[str, str] | list[str]] = [["x"], {"x": "gone"}]
    for unpriced in given:
        file = converted({"as_of": "2026-01-01", "unpriced": unpriced}, File, where="here")
        assert list(file.unpriced) == ["x"]
