"""All that may be set, checked as a whole. Not here: where values come from (`sources`)."""

from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import PrivateAttr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from gateway.config import callers, sections, surface
from gateway.config.values import Port, Workers
from gateway.core.address import is_loopback

ENVIRONMENT_PREFIX = "GATEWAY_"


class Settings(BaseSettings):
    """All of it, as `sources.load_settings` builds it; made by hand it reads its arguments only."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter="_",
        env_nested_max_split=1,  # GATEWAY_UPSTREAM_BASE_URL is [upstream] base_url
        env_ignore_empty=True,  # compose files pass "" for what is not set
    )

    host: str = "127.0.0.1"
    """The address to listen on."""
    port: Port = 8080
    """The port to listen on; 0 takes a free one."""
    workers: Workers = 1
    """Processes that share the port; what is limited in memory is limited in each of them."""
    state_dir: Path = Path(".gateway")
    """A folder that outlives the process: locks, journal and, by default, the database."""
    database: sections.Database = sections.Database()
    upstream: sections.Upstream = sections.Upstream()
    prices: sections.Prices = sections.Prices()
    admin: sections.Admin = sections.Admin()
    ingress: callers.Ingress = callers.Ingress()
    attribution: callers.Attribution = callers.Attribution()
    endpoints: surface.Endpoints = surface.Endpoints()
    limits: sections.Limits = sections.Limits()
    drain: sections.Drain = sections.Drain()
    reconcile: sections.Reconcile = sections.Reconcile()
    ledger: sections.Ledger = sections.Ledger()
    alerts: sections.Alerts = sections.Alerts()
    telemetry: sections.Telemetry = sections.Telemetry()
    shutdown: sections.Shutdown = sections.Shutdown()
    keys: callers.Keys = callers.Keys()
    policy: callers.Policy = callers.Policy()
    tenants: callers.Tenants = callers.Tenants()
    log: sections.Log = sections.Log()
    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is given: `sources` reads the rest, to say where each value is from."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    def origin(self, name: str) -> str:
        """Where the setting of this dotted name is from."""
        return self._origins.get(name, "default")

    def remember_origins(self, origins: dict[str, str]) -> None:
        """Note where values came from; the values themselves stay as they are."""
        self._origins = origins

    @model_validator(mode="after")
    def _database_in_state_dir(self) -> Self:
        if "url" not in self.database.model_fields_set:
            url = f"sqlite:///{self.state_dir / 'gateway.db'}"
            # A frozen model may only be completed while it is being built.
            self.__dict__["database"] = self.database.model_copy(update={"url": url})
        return self


def warnings(settings: Settings) -> list[str]:
    """What works and yet should be known, a line each."""
    address = urlsplit(settings.upstream.base_url)
    if address.scheme == "http" and not is_loopback(address.hostname or ""):
        return [
            f"upstream.base_url is plain http: {address.hostname} gets keys and texts unencrypted"
        ]
    return []
