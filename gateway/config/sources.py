"""Where settings come from: gateway.toml < environment < flags, each value with its origin.

A name that nobody knows is an error with a suggestion, never a shrug: a mistyped limit would
otherwise be no limit. Not here: what a value may be (`sections`).
"""

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import EnvSettingsSource

from gateway.config.fields import FIELDS, has_password
from gateway.config.settings import ENVIRONMENT_PREFIX, Settings

CONFIG_VARIABLE = "GATEWAY_CONFIG"
CONFIG_FILE = Path("gateway.toml")

# The checkout's and its tests', not a gateway's; and what Kubernetes sets for a Service "gateway".
_NOT_SETTINGS = re.compile(
    r"GATEWAY_(CONFIG|VENV|SHARED|RECORDINGS|TEST_.*"
    r"|SERVICE_(HOST|PORT)(_.*)?|PORT_\d+_(TCP|UDP)(_.*)?)$"
)
_BY_VARIABLE = {field.variable: name for name, field in FIELDS.items()}


class ConfigInvalid(Exception):
    """The configuration cannot be used; one line per problem, each saying what to do."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    """One source's values by dotted name."""

    origin: str  # "file gateway.toml", "environment", "flag"
    values: dict[str, object]

    def said_by(self, name: str) -> str:
        """Where in this source `name` was set, as an operator looks for it."""
        if self.origin == "environment":
            return f"environment {FIELDS[name].variable}"
        if self.origin == "flag":
            return "flag --" + name.replace("_", "-").replace(".", "-")
        return self.origin


def load_settings(
    config: Path | None = None, *, flags: Mapping[str, object] | None = None
) -> Settings:
    """The settings in force. `flags` are by dotted name; None means not given.

    Raises ConfigInvalid with every problem found, never with the value of a secret.
    """
    file = _file_layer(config)
    problems = [*_file_problems(file), *_environment_problems()]
    if problems:
        raise ConfigInvalid(problems)
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    environment = _flat(EnvSettingsSource(Settings)())
    layers = [
        file,
        _Layer(origin="environment", values=environment),
        _Layer(origin="flag", values=given),
    ]
    said_by = {name: layer.said_by(name) for layer in layers for name in layer.values}
    merged = {name: value for layer in layers for name, value in layer.values.items()}
    return _checked(merged, said_by)


def origins(settings: Settings) -> dict[str, str]:
    """Where each setting is from: `default`, `file NAME`, `environment NAME` or `flag --NAME`."""
    return {name: settings.origin(name) for name in FIELDS}


def _checked(values: Mapping[str, object], said_by: dict[str, str]) -> Settings:
    try:
        settings = Settings.model_validate(_nested(values))
    except ValidationError as invalid:
        raise ConfigInvalid(_problem(error, said_by) for error in invalid.errors()) from None
    settings.remember_origins(said_by)
    return settings


def _file_layer(config: Path | None) -> _Layer:
    variable = os.environ.get(CONFIG_VARIABLE)
    path = config or (Path(variable) if variable else CONFIG_FILE)
    is_asked_for = config is not None or bool(variable)
    if not is_asked_for and not path.exists():
        return _Layer(origin=f"file {path}", values={})
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as unreadable:
        raise ConfigInvalid([f"{path}: cannot be read: {unreadable.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
        raise ConfigInvalid([f"{path}: is not TOML: {broken}"]) from None
    return _Layer(origin=f"file {path}", values=_flat(values))


def _file_problems(file: _Layer) -> list[str]:
    where = file.origin.removeprefix("file ")
    problems = []
    for name, value in file.values.items():
        field = FIELDS.get(name)
        if field is None:
            problems.append(f"{where}: unknown setting {name}{_suggestion(name, FIELDS)}")
        elif field.is_secret or has_password(value):
            other = f", or name a file with {name}_file" if f"{name}_file" in FIELDS else ""
            problems.append(
                f"{where}: {name} is a secret, which no configuration file may hold: "
                f"set {field.variable}{other}"
            )
    return problems


def _environment_problems() -> list[str]:
    return [
        f"environment: unknown variable {name}{_suggestion(name, _BY_VARIABLE)}"
        for name in sorted(map(str.upper, os.environ))
        if name.startswith(ENVIRONMENT_PREFIX)
        and name not in _BY_VARIABLE
        and not _NOT_SETTINGS.match(name)
    ]


def _suggestion(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else "; `gateway config show` lists all"


def _problem(error: ErrorDetails, said_by: Mapping[str, str]) -> str:
    name = ".".join(str(part) for part in error["loc"])
    message = error["msg"].removeprefix("Value error, ")
    value = error["input"]
    if name not in FIELDS:  # a rule over a whole section names its fields itself
        return f"{name}: {message}"
    if isinstance(value, str) and value.startswith("tcp://"):
        message = (
            "is a Kubernetes service link: set enableServiceLinks to false for the pod, "
            "or name the Service otherwise"
        )
    shown = "" if FIELDS[name].is_secret or has_password(value) else f" = {value!r}"
    origin = said_by.get(name, name).removeprefix("file ")
    return f"{origin}: {name}{shown}: {message[:1].lower()}{message[1:]}"


def _flat(values: Mapping[str, object]) -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": given for inner, given in value.items()}
        else:
            flat[name] = value
    return flat


def _nested(values: Mapping[str, object]) -> dict[str, object]:
    nested: dict[str, object] = {}
    for name, value in values.items():
        section, dot, inner = name.partition(".")
        if dot:
            within = nested.setdefault(section, {})
            assert isinstance(within, dict)
            within[inner] = value
        else:
            nested[name] = value
    return nested
