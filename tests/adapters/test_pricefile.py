"""Price files are validated whole: what is wrong is told with file, place and reason."""

import re
import time
from pathlib import Path

import pytest

from gateway.adapters.price_format import PriceFileInvalid
from gateway.adapters.pricefile import BUILT_IN, load_prices
from gateway.core.price_book import PriceBook
from gateway.core.tool_use import NO_TOOLS
from gateway.core.usage import Usage

NOW_US = 1_795_305_600_000_000  # 2026-11-22

HEAD = "as_of = 2026-11-23\n"
OWN = """
[models.own]
input_tokens_max = 1000
output_tokens_max = 100
"""
ROW = """
[[models.own.prices]]
source = "contract"
default = { input = "1", output = "2" }
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "own.toml"


def load(own: Path, text: str) -> PriceBook:
    own.write_text(text)
    return load_prices(own)


def test_lays_the_operators_file_over_the_book(own: Path) -> None:
    text = HEAD + OWN + ROW
    book = load(own, text + (OWN + ROW).replace(".own", '."gpt-5.6-luna"'))
    luna = book.find("gpt-5.6-luna", 0)
    assert luna is not None
    assert luna.source == "contract"
    assert len(book.cards["gpt-5.6-luna"]) == 1
    assert book.find("own", NOW_US) is not None
    assert book.find("gpt-6-sol", NOW_US) is not None


def test_a_later_layer_decides_what_a_name_means(own: Path, tmp_path: Path) -> None:
    text = HEAD + 'unpriced = ["gpt-5.1"]\n[aliases]\n"gpt-4o" = "own"\n'
    book = load(own, text + OWN + ROW + (OWN + ROW).replace(".own", '."gpt-5.6"'))
    renamed, replaced = book.find("gpt-4o", NOW_US), book.find("gpt-5.6", NOW_US)
    assert renamed is not None
    assert renamed.name == "own"
    assert replaced is not None
    assert replaced.name == "gpt-5.6"
    assert book.find("gpt-5.1", NOW_US) is None

    last = tmp_path / "last.toml"
    last.write_text(HEAD + (OWN + ROW).replace(".own", '."gpt-5.1"'))
    assert load_prices(own, last).find("gpt-5.1", NOW_US) is not None


def test_the_version_names_date_and_content(own: Path) -> None:
    built_in, with_own = load_prices(), load(own, HEAD + OWN + ROW)
    assert built_in.version == load_prices().version
    assert with_own.version.startswith("2026-11-23+")
    assert len(with_own.version) == len("2026-11-23+") + 12
    assert load(own, HEAD + OWN + ROW + "\n").version != with_own.version
    versions = {price.name: price.version for price in with_own.in_force(NOW_US)}
    assert re.fullmatch(r"file:2026-11-23\+[0-9a-f]{12}", versions.pop("own"))
    assert set(versions.values()) == {built_in.version}


def test_a_price_that_is_not_whole_is_rounded_up_and_marked(own: Path) -> None:
    book = load(own, HEAD + OWN + ROW.replace('"1"', '"0.0000001"'))
    price = book.find("own", NOW_US)
    assert price is not None
    assert price.rounded == ("default.input",)
    used = Usage(input_tokens=1, output_tokens=0)
    assert price.cost(usage=used, tools=NO_TOOLS, service_tier=None).cost_pusd == 1
    assert not any(card.rounded for card in load_prices().in_force(NOW_US))


def test_a_contract_multiplies_the_tokens_of_all_that_lies_below_and_nothing_else(
    own: Path,
) -> None:
    text = f'{HEAD}contract = "1.1"\n[aliases]\n"our-chat" = "gpt-4.1"\n{OWN}{ROW}'
    plain, ours = load_prices(), load(own, text)
    was, chat, mine = (
        plain.find("gpt-4.1", NOW_US),
        ours.find("our-chat", NOW_US),
        ours.find("own", NOW_US),
    )
    assert was is not None
    assert chat is not None
    assert mine is not None
    assert (was.tiers["default"].short.input, chat.tiers["default"].short.input) == (
        2_000_000,
        2_200_000,
    )
    assert chat.tool_fees_pusd == was.tool_fees_pusd
    assert mine.tiers["default"].short.input == 1_000_000
    assert chat.rounded == ()


def test_a_region_is_dearer_for_newer_models_and_told_in_the_version() -> None:
    home, abroad = load_prices(), load_prices(region="eu")
    assert abroad.version != home.version
    for name, times in (("gpt-6-sol", 11), ("gpt-5", 10), ("gpt-5.4-mini", 11), ("gpt-4o", 10)):
        near, far = home.find(name, NOW_US), abroad.find(name, NOW_US)
        assert near is not None
        assert far is not None
        assert far.version.endswith("+eu")
        for tier, both in far.tiers.items():
            assert both.short.input is not None
            assert 10 * both.short.input == times * (near.tiers[tier].short.input or 0)


def test_an_image_default_must_have_a_price(own: Path) -> None:
    with pytest.raises(PriceFileInvalid, match="image_model_default: gone has no price"):
        load(own, HEAD + 'image_model_default = "gone"')
    text = f"""{HEAD}image_model_default = "ours"
[[images.ours]]
source = "https://example.test"
default = {{ input = "1", image_output = "2" }}"""
    book = load(own, text)
    card = book.find("gpt-5.4", NOW_US)
    assert card is not None
    images = book.with_images(card, NOW_US).images
    assert images[""] == images["ours"]
    assert images["gpt-image-2"].image_output == 30_000_000


def test_spans_may_touch(own: Path) -> None:
    rows = ROW.replace("source", "from = 2026-02-01\nsource") + ROW.replace(
        "source", "from = 2026-01-01\nto = 2026-02-01\nsource"
    )
    book = load(own, HEAD + OWN + rows)
    first, second = book.cards["own"]
    assert first.effective_to_us == second.effective_from_us == 1_769_904_000_000_000


LONG = 'default_long = { input = "2", output = "3" }\n'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("as_of = ", "is not TOML"),
        ("", "required field `as_of`"),
        (HEAD + "modles = {}", "unknown field `modles`; did you mean `models`?"),
        (HEAD + OWN, "models.own: Object missing required field `prices`"),
        (HEAD + OWN + "prices = []", "Expected `array` of length >= 1"),
        (HEAD + OWN + ROW + 'flax = { input = "1", output = "2" }', "did you mean `flex`?"),
        (HEAD + OWN + ROW.replace("input", "inpt"), r"unknown field `inpt` .*did you mean `input`"),
        (HEAD + OWN + ROW.replace("input", "zzz"), r"unknown field `zzz` - at `[^`]*`$"),
        (HEAD + OWN + ROW.replace("source", "url"), "unknown field `url`"),
        (HEAD + OWN + ROW.replace("default", "flex"), "required field `default`"),
        (HEAD + OWN.replace("1000", "0") + ROW, "input_tokens_max"),
        (HEAD + OWN + ROW.replace('"1"', "1.0"), "Expected `str`, got `float`"),
        (
            HEAD + OWN + ROW.replace('"1"', '"one"'),
            r"prices\[0\].default.input: 'one' is not a dec",
        ),
        (HEAD + OWN + ROW.replace('"1"', '"-1"'), "must be zero or more"),
        (HEAD + OWN + ROW.replace('"1"', '"10001"'), "more than 10000 for 1,000,000"),
        (HEAD + OWN + ROW + LONG, r"default_long: needs `default` and the model's `long_context"),
        (HEAD + OWN + ROW + 'tools = { telepathy = "1" }', "telepathy: no such fee"),
        (HEAD + OWN + ROW + 'tools = { web_search = "ten" }', "web_search: 'ten' is not a decimal"),
        (HEAD + OWN + ROW + ROW, "models.own: two prices are in force at the same time"),
        (
            HEAD + OWN + ROW.replace("source", "from = 2026-02-01\nto = 2026-02-01\nsource"),
            "`from` is not before `to`",
        ),
        (HEAD + OWN + ROW.replace("source", "from = 2026-02-30\nsource"), "is not TOML"),
        (
            HEAD + OWN + ROW.replace("source", 'from = "soon"\nsource'),
            "Invalid RFC3339 encoded date",
        ),
        (
            HEAD + OWN + ROW.replace("source", "from = 2026-02-01T00:00:00Z\nsource"),
            "got `datetime`",
        ),
        (HEAD + '[aliases]\nshort = "nothing"', "short stands for nothing, which has no price"),
    ],
)
def test_a_mistake_is_told_by_name(own: Path, text: str, why: str) -> None:
    with pytest.raises(PriceFileInvalid, match=why) as told:
        load(own, text)
    assert "aliases" in str(told.value) or str(own) in str(told.value)


def test_an_overlap_is_found_whatever_the_order(own: Path) -> None:
    open_ended = ROW.replace("source", "from = 2026-01-01\nsource")
    dated = ROW.replace("source", "from = 2026-02-01\nto = 2026-03-01\nsource")
    for rows in (open_ended + dated, dated + open_ended):
        with pytest.raises(PriceFileInvalid, match="in force at the same time"):
            load(own, HEAD + OWN + rows)


def test_a_file_that_is_not_there_is_told(own: Path) -> None:
    with pytest.raises(PriceFileInvalid, match="cannot be read: No such file"):
        load_prices(own)


def test_every_price_of_the_book_has_a_link_and_a_tool_fee() -> None:
    book = load_prices()
    for name in book.names():
        for price in book.cards[name]:
            assert price.source.startswith("https://"), name


def test_the_long_rows_follow_the_published_rule() -> None:
    book = load_prices()
    rows = [
        (tier.short, tier.long)
        for name in book.names()
        for price in book.cards[name]
        for tier in price.tiers.values()
        if tier.long is not None
    ]
    assert len(rows) > 50
    for short, long in rows:
        assert long is not None
        assert long.input == 2 * (short.input or 0)
        assert 2 * (long.output or 0) == 3 * (short.output or 0)
        assert long.cache_write == (short.cache_write and 2 * short.cache_write)


def test_the_book_is_small_enough_to_load_at_each_start() -> None:
    started = time.process_time()
    load_prices()
    print(f"load_prices: {(time.process_time() - started) * 1_000:.1f} ms of CPU")
    assert sum(path.stat().st_size for path in BUILT_IN.glob("*.toml")) < 100_000
