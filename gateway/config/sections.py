"""What may be set, section by section: default, limits and words of each; frozen once checked.

`config show` and the documentation read the texts below the fields. Not here: what is set at the
top level (`settings`) or about who calls (`callers`), and where values come from (`sources`).
"""

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from gateway.config.section import Section
from gateway.config.values import (
    WEEK_SECONDS,
    Bytes,
    Count,
    Seconds,
    Secret,
    http_address,
    store_address,
)
from gateway.core.region import region_of


class Database(Section):
    """Where tenants, keys, holds and entries live."""

    url: str = "sqlite:///.gateway/gateway.db"
    """sqlite:///FILE or postgresql+psycopg://…; by default the file gateway.db in state_dir."""

    @field_validator("url")
    @classmethod
    def _is_known(cls, url: str) -> str:
        if url.startswith(("sqlite:///", "postgresql+psycopg://")) and not url.endswith("///"):
            return url
        raise ValueError("must begin with sqlite:///FILE or postgresql+psycopg://")


class Upstream(Section):
    """The API that requests are passed to, and how long it may take."""

    base_url: str = "https://api.openai.com/v1"
    """The API's address with its version; a trailing slash is dropped."""
    api_key: Secret | None = None
    """The upstream's key; only from the environment, or in the file that api_key_file names."""
    api_key_file: Path | None = None
    """A file that holds the upstream's key; read again when it changes."""
    connect_seconds: Seconds = 5
    """How long making a connection may take."""
    write_seconds: Seconds = 30
    """How long the upstream may refuse to take the next bytes of a request."""
    first_byte_seconds: Seconds = 600
    """How long the upstream may take to answer with headers."""
    idle_seconds: Seconds = 300
    """How long an answer may be silent, keep-alives counted, before it counts as broken."""
    pool_seconds: Seconds = 2
    """How long a request may wait for a connection when all are in use."""
    connections_max: Count = 1000
    """Connections to the upstream at once, from one process."""
    keepalive_seconds: Seconds = 15
    """How long an unused connection is kept."""
    transport: Literal["fast", "stock"] = "fast"
    """Which HTTP transport is used: ours, or httpx's own."""
    ca_file: Path | None = None
    """A PEM file with the certificate authorities to trust instead of the built-in ones."""
    proxy_url: str | None = None
    """An HTTP proxy towards the upstream; no environment variable but ours is obeyed."""

    @field_validator("base_url")
    @classmethod
    def _is_address(cls, url: str) -> str:
        region_of(urlsplit(http_address(url)).hostname or "")  # one that is not known is refused
        return url.rstrip("/")

    @field_validator("proxy_url")
    @classmethod
    def _is_proxy(cls, url: str | None) -> str | None:
        return None if url is None else http_address(url, has_userinfo=True)

    @property
    def region(self) -> str | None:
        """The region of a regional endpoint, where some models cost more."""
        return region_of(urlsplit(self.base_url).hostname or "")

    @model_validator(mode="after")
    def _has_one_key(self) -> Self:
        _only_one(self, "api_key", "api_key_file")
        return self


class Prices(Section):
    """What the upstream costs."""

    file: Path | None = None
    """A price file of your own; a model in it replaces the built-in book's."""


class Admin(Section):
    """Metrics, console and administration."""

    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """A port of their own for /metrics, /admin and /console; else they are on the data port."""
    token: Secret | None = None
    """What they ask for off loopback; only from the environment, or in token_file's file."""
    token_file: Path | None = None
    """A file that holds the admin token; read again when it changes."""
    session_seconds_max: Seconds = 43_200
    """How long a login to the console lasts, whatever is done in it."""

    @model_validator(mode="after")
    def _has_one_token(self) -> Self:
        _only_one(self, "token", "token_file")
        return self


class Limits(Section):
    """How much of anything one client may have."""

    connections_max: Count = 10_000
    """Connections of clients at once, to one process; more are answered 503 and closed, all but
    probes (`/livez`, `/readyz`)."""
    request_bytes_max: Bytes = 64 * 1024 * 1024
    """A request's body."""
    request_total_bytes_max: Bytes = 1024 * 1024 * 1024
    """The bodies of all requests under way in one process; more are answered 503, unread."""
    header_bytes_max: Bytes = 64 * 1024
    """A request's headers together."""
    event_bytes_max: Bytes = 1024 * 1024
    """What the observer keeps of one event; larger ones are skimmed, and relayed all the same."""
    queue_length_max: Count = 10_000
    """Records that may wait for the ledger before new requests are refused."""
    tenants_labelled_max: Count = 100
    """Tenants with metrics of their own; the others are counted together."""
    head_seconds_max: Seconds = 15
    """How long a client may take to send a request's headers."""
    body_stall_seconds_max: Seconds = 15
    """How long a client may take for the next 16 KiB of a request's body, or for its end."""
    write_stall_seconds_max: Seconds = 60
    """How long a client may take none of the bytes that wait for it."""
    keep_alive_seconds: Seconds = 75
    """How long a client's unused connection is kept."""
    rows_per_page: Count = 100
    """Rows of one page of a listing."""
    store_url: str | None = None
    """A Redis or Valkey that keeps limits per minute for all processes: redis://HOST:6379/0."""

    @field_validator("store_url")
    @classmethod
    def _is_store(cls, url: str | None) -> str | None:
        return None if url is None else store_address(url)

    @model_validator(mode="after")
    def _has_room_for_one(self) -> Self:
        if self.request_total_bytes_max < self.request_bytes_max:
            raise ValueError("request_total_bytes_max must be at least request_bytes_max")
        return self


class Drain(Section):
    """Reading on when the client has left: its usage comes last, and is billed anyway."""

    seconds_max: Seconds = 900
    """How long an answer is read on."""
    drains_max: Count = 100
    """How many answers are read on at once."""


class Reconcile(Section):
    """Asking the upstream for a response whose end was not seen; until then its hold stays."""

    asks_max: Annotated[int, Field(ge=0)] = 16
    """How many are asked for at once; 0 asks for none, and they are posted at their holds."""
    seconds_max: Seconds = 900
    """How long one is asked for before it is posted at its hold."""
    background_seconds_max: Seconds = 86_400
    """The same for a response in the background, which may be at work for hours."""
    missing_seconds_max: Annotated[
        float, Field(ge=0, le=WEEK_SECONDS, json_schema_extra={"unit": "seconds"})
    ] = 10
    """The same where the upstream has none: it may keep a response only when it has ended."""


class Ledger(Section):
    """How holds and entries are written."""

    lease_seconds: Seconds = 30
    """How long a process may be silent before others take over its holds."""
    batch_max: Count = 64
    """Records written in one transaction."""
    synchronous: Literal["FULL", "NORMAL"] = "FULL"
    """SQLite only: FULL survives a loss of power, NORMAL the end of a process."""
    outage: Literal["refuse", "journal"] = "refuse"
    """While the database is away, new requests are refused, or held in the journal alone."""
    journal_bytes_max: Bytes = 1024 * 1024 * 1024
    """The journal in state_dir, which takes what settles while the database is away."""


class Alerts(Section):
    """Telling of spending that passed a threshold of a budget."""

    webhook_url: Secret | None = None
    """Where alerts are sent; it may be a credential, so only from the environment or a file."""
    webhook_url_file: Path | None = None
    """A file that holds the address; read again when it changes."""
    webhook_secret: Secret | None = None
    """What alerts are signed with: whsec_ and base64; only from the environment or a file."""
    webhook_secret_file: Path | None = None
    """A file that holds it; read again when it changes."""
    format: Literal["json", "slack"] = "json"
    """All figures as JSON, or a sentence as Slack's incoming webhooks take it."""
    seconds_max: Seconds = 10
    """How long the receiver may take to answer."""
    pause_seconds_max: Seconds = 3600
    """The longest pause between attempts, which begin at 4 seconds and double."""
    poll_seconds: Seconds = 2
    """How often the ledger is asked for new ones."""

    @model_validator(mode="after")
    def _has_one_each(self) -> Self:
        _only_one(self, "webhook_url", "webhook_url_file")
        _only_one(self, "webhook_secret", "webhook_secret_file")
        return self


class Telemetry(Section):
    """Traces, and metrics by OpenTelemetry's names, sent to a collector; needs the extra `otel`."""

    otlp_endpoint: str | None = None
    """A collector's address for OTLP by HTTP, as http://127.0.0.1:4318; without it none is sent."""
    otlp_headers: Secret | None = None
    """Its headers, as api-key=…,x-team=…; only from the environment, or in otlp_headers_file."""
    otlp_headers_file: Path | None = None
    """A file that holds them; read again when it changes."""
    service_name: str = "responses-gateway"
    """What this service is called there."""
    sample_ratio: Annotated[float, Field(ge=0, le=1)] = 1
    """The share of exchanges that are traced where their client does not say whether they are."""
    genai_semconv: Literal["1.41", "latest", "off"] = "1.41"
    """Whose names what is said of models has; off says nothing of it, and sends no metrics."""
    metrics_seconds: Seconds = 60
    """How often metrics are sent."""

    @field_validator("otlp_endpoint")
    @classmethod
    def _is_collector(cls, url: str | None) -> str | None:
        return None if url is None else http_address(url).rstrip("/")

    @model_validator(mode="after")
    def _has_one_each(self) -> Self:
        _only_one(self, "otlp_headers", "otlp_headers_file")
        return self


class Shutdown(Section):
    """Going down."""

    seconds_max: Seconds = 600
    """How long requests may go on after SIGTERM."""


class Log(Section):
    """What is written to stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important lines that are written."""
    format: Literal["json", "text"] = "json"
    """One JSON object a line, or text for people."""


def _only_one(section: Section, value: str, file: str) -> None:
    if getattr(section, value) is not None and getattr(section, file) is not None:
        raise ValueError(f"{value} and {file} are both set: keep one")
