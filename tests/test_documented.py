"""README and `docs/` name every setting, metric, error code and verb that exists, and no other."""

import re
from pathlib import Path

from gateway.adapters.metrics import METRIC_NAMES
from gateway.cli.program import NOUNS
from gateway.config.fields import FIELDS
from gateway.core import errors
from gateway.core.errors import GatewayError
from gateway.core.life import IDLE, NO_FIRST_EVENT, SILENT_AFTER_START

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
WORDS = set(re.findall(r"`([^`\n]+)`", FENCED.sub("", TEXT)))


def error_classes(base: type[GatewayError] = GatewayError) -> list[type[GatewayError]]:
    return [base, *(found for sub in base.__subclasses__() for found in error_classes(sub))]


def test_every_setting_is_documented() -> None:
    assert {field.variable for field in FIELDS.values()} <= WORDS


def test_every_variable_of_the_pages_is_a_setting() -> None:
    named = {word for word in WORDS if re.fullmatch(r"GATEWAY_[A-Z_]+", word)}
    assert named <= {field.variable for field in FIELDS.values()} | {"GATEWAY_CONFIG"}


def test_every_metric_is_documented_and_no_other() -> None:
    named = {word.split("{")[0] for word in WORDS if re.match(r"gateway_[a-z_]+($|\{)", word)}
    assert named - {GatewayError.default_code} == METRIC_NAMES


def test_every_error_code_is_documented() -> None:
    codes = {error.default_code for error in error_classes()}
    codes |= set(re.findall(r'code="([a-z_0-9]+)"', Path(errors.__file__).read_text()))
    assert codes | {IDLE, NO_FIRST_EVENT, SILENT_AFTER_START} <= WORDS


def test_every_verb_is_documented() -> None:
    assert all(f"gateway {noun}" in TEXT for noun in NOUNS)
