"""What may be set about who calls: keys, addresses, tenants, tags.

Not here: the other sections (`sections`).
"""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from gateway.config.section import Section
from gateway.config.values import BudgetUsd, Count, Seconds
from gateway.core.address import networks
from gateway.core.attribution import tag_names
from gateway.core.policy import OUTPUT_TOKENS_MIN


class Ingress(Section):
    """Who connects, and who is believed."""

    trusted_proxies: str = ""
    """Proxies whose X-Forwarded-For is believed: addresses or networks, with commas between."""
    failed_attempts_max: Count = 20
    """Requests without a valid key from one address in a minute; more get 429, with no lookup."""

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _is_one_line(cls, given: object) -> object:
        return ",".join(map(str, given)) if isinstance(given, list) else given

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, proxies: str) -> str:
        networks(proxies)
        return proxies


class Keys(Section):
    """How long a looked-up key is believed."""

    stale_seconds_max: Seconds = 300
    """How long a known key stays valid while the database does not answer."""
    cached_max: Count = 10_000
    """Keys kept in memory."""


class Policy(Section):
    """What all tenants may do unless told otherwise."""

    unpriced: Literal["deny", "record"] = "deny"
    """A model without a price: deny refuses it, record passes it and keeps its cost open."""


class Tenants(Section):
    """What a tenant is given when it is created; tenants that are there stay as they are."""

    budget_limit_usd: BudgetUsd | None = None
    """The limit of a new tenant's budget, as 25.00; without it there is none."""
    budget_period: Literal["total", "day", "week", "month"] = "month"
    """When a new tenant's budget starts afresh, at midnight UTC."""
    budget_is_hard: bool = True
    """Whether a new tenant's budget refuses what does not fit, or only tells."""
    max_output_tokens_default: Annotated[int, Field(ge=OUTPUT_TOKENS_MIN)] | None = None
    """What a new tenant's policy sets where a client does not say, as 4096."""


class Attribution(Section):
    """What entries keep of what clients say of themselves."""

    tags: str = ""
    """Tags that clients may say, by name: team,feature. All others are dropped."""

    @field_validator("tags", mode="before")
    @classmethod
    def _is_one_line(cls, given: object) -> object:
        return ",".join(map(str, given)) if isinstance(given, list) else given

    @field_validator("tags")
    @classmethod
    def _are_names(cls, tags: str) -> str:
        tag_names(tags)
        return tags
