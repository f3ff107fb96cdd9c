"""Every setting as its reader sees it: name, variable, unit, words, and what may be shown of it."""

import re
from dataclasses import dataclass

from pydantic.fields import FieldInfo

from gateway.config.section import Section
from gateway.config.settings import ENVIRONMENT_PREFIX, Settings
from gateway.config.values import Secret

_PASSWORD = re.compile(r"(://[^:/@]*):.*@")  # some readers take a slash for a part of it


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingField:
    """One setting: `name` as in gateway.toml with its section, `variable` in the environment."""

    name: str
    variable: str
    unit: str
    description: str
    is_secret: bool


def shown(settings: Settings, name: str) -> str | int | float | None:
    """The value of `name` in force, secrets as `***`."""
    value: object = settings
    for part in name.split("."):
        value = getattr(value, part)
    if value is None or isinstance(value, int | float):
        return value
    return without_password(str(value))


def without_password(url: str) -> str:
    """An address as it may be shown: its password, if any, as `***`."""
    return _PASSWORD.sub(r"\1:***@", url)


def has_password(value: object) -> bool:
    """Whether `value` is an address with a password in it."""
    return isinstance(value, str) and _PASSWORD.search(value) is not None


def _fields() -> dict[str, SettingField]:
    found = {}
    for name, info in Settings.model_fields.items():
        section = info.annotation
        if isinstance(section, type) and issubclass(section, Section):
            for inner, field in section.model_fields.items():
                found[f"{name}.{inner}"] = _field(f"{name}.{inner}", field)
        else:
            found[name] = _field(name, info)
    return found


def _field(name: str, info: FieldInfo) -> SettingField:
    extra = info.json_schema_extra
    return SettingField(
        name=name,
        variable=ENVIRONMENT_PREFIX + name.replace(".", "_").upper(),
        unit=str(extra["unit"]) if isinstance(extra, dict) else "",
        description=" ".join((info.description or "").split()),
        is_secret=info.annotation == Secret | None,
    )


FIELDS = _fields()
