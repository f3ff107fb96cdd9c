"""What the admin API says of tenants, keys, policies, budgets and prices, and is told of them.

Names are those of the command line's JSON, and money is a decimal string. Not here: what it says of
the ledger (`ledger_shapes`).
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from gateway.core.policy import FIELDS

Usd = Annotated[
    str, StringConstraints(pattern=r"^-?\d+\.\d{12}$"), Field(examples=["12.500000000000"])
]
UsdGiven = Annotated[
    str,
    StringConstraints(pattern=r"^\d{1,20}(\.\d{1,12})?$"),
    Field(examples=["10.00"], description="USD, as a decimal string; a number is refused."),
]
Moment = Annotated[str, Field(examples=["2026-11-22T08:00:00.000000Z"])]
Subject = Annotated[str, Field(max_length=300, examples=["acme/search"])]
Period = Literal["total", "day", "week", "month"]
Text = Annotated[str, StringConstraints(max_length=1_000, pattern=r"^[^\x00]*$")]
Model = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\s,=+\x00]+$")]


class Told(BaseModel):
    """What is answered: each name is documented, or it is a mistake of ours."""

    model_config = ConfigDict(extra="forbid")


class Given(BaseModel):
    """What is asked for: a name that is not known is refused."""

    model_config = ConfigDict(extra="forbid")


class Tenant(Told):
    path: str = Field(examples=["acme/search"])
    created_at: Moment
    suspended_at: Moment | None


class NewTenant(Given):
    path: Text = Field(examples=["acme/search"], description="Those above it are created too.")


class TenantChange(Given):
    suspended: bool = Field(examples=[True], description="Whether its keys are refused.")


class Key(Told):
    id: str = Field(examples=["4rTn0Zb1kQx2"])
    tenant: str = Field(examples=["acme/search"])
    name: str = Field(examples=["ci"])
    created_at: Moment
    expires_at: Moment | None
    revoked_at: Moment | None
    replaced_by: str | None


class NewKey(Given):
    tenant: Text = Field(examples=["acme/search"])
    name: Text = Field("", examples=["ci"], description="What it is for, for people.")
    expires_at: datetime | None = Field(None, examples=["2027-01-31T00:00:00Z"])


class Rotation(Given):
    overlap_seconds: float = Field(
        0, ge=0, le=366 * 86_400, description="How long the old key stays valid."
    )


class IssuedKey(Told):
    """A new key, this once with its text."""

    id: str = Field(examples=["4rTn0Zb1kQx2"])
    key: str = Field(examples=["gw_4rTn0Zb1kQx2_…"])
    tenant: str = Field(examples=["acme/search"])


class Policy(Told):
    subject: str = Field(examples=["acme/search"])
    policy: dict[str, Any] = Field(examples=[{"models": ["gpt-5-mini"], "store": "deny"}])
    origins: dict[str, tuple[str, ...]] = Field(
        examples=[{"models": ["acme"], "store": ["acme/search"]}],
        description="Who said so, for each field.",
    )


def _has_known_fields(fields: dict[str, Any]) -> dict[str, Any]:
    unknown = sorted(fields.keys() - set(FIELDS))
    if unknown:
        raise ValueError(f"a policy has no field {unknown[0]!r}; there are {', '.join(FIELDS)}")
    return fields


PolicyChange = Annotated[
    dict[str, Any],
    AfterValidator(_has_known_fields),
    Field(
        examples=[{"max_output_tokens_cap": 4096, "store": None}],
        description="Fields to set; null inherits a field again. What is not named stays.",
    ),
]


class Budget(Told):
    subject: str = Field(examples=["acme/search"])
    tenant: str = Field(examples=["acme/search"])
    limit_usd: Usd
    spent_usd: Usd
    held_usd: Usd
    left_usd: Usd
    excess_usd: Usd
    period: Period
    period_start: Moment | None
    period_end: Moment | None
    tz: str = Field(examples=["Europe/Berlin"])
    hard: bool
    models: tuple[str, ...] | None
    thresholds: tuple[int, ...] = Field(examples=[[50, 80, 100]])


class BudgetGiven(Given):
    """A budget is told by its period and its models; what else is not named stays as it is."""

    period: Period
    models: list[Model] | None = Field(
        None, max_length=100, examples=[None], description="Only what these cost; null: all."
    )
    limit_usd: UsdGiven | None = Field(None, description="A new budget needs it.")
    tz: Text | None = Field(None, examples=["Europe/Berlin"])
    hard: bool | None = None
    thresholds: list[int] | None = Field(None, max_length=100, examples=[[50, 80, 100]])


class PriceCard(Told):
    model: str = Field(examples=["gpt-5-mini"])
    layer: str = Field(examples=["built-in book"])
    version: str
    effective_from: Moment | None
    effective_to: Moment | None
    source: str
    input_tokens_max: int
    output_tokens_max: int
    long_context_threshold_tokens: int | None
    usd_per_token: dict[str, dict[str, dict[str, Usd | None] | None]]
    usd_per_call: dict[str, Usd]
    rounded: list[str]


class PriceCards(PriceCard):
    """The card in force now, and those of before and to come."""

    others: list[PriceCard]


class Override(Told):
    number: int = Field(examples=[3])
    at: Moment
    by: str
    model: str = Field(examples=["gpt-5-mini"])
    from_: Moment = Field(alias="from")
    to: Moment | None
    default_tier: str = Field(examples=["input 0.25, output 2.00"])
    note: str
    document: dict[str, Any] | None


class PriceGiven(Given):
    """A price of one tier in USD for 1,000,000 tokens, or a whole price document."""

    usd_per_million: (
        dict[Literal["input", "cached", "cache_write", "cache_write_12h", "output"], UsdGiven]
        | None
    ) = Field(None, examples=[{"input": "0.25", "output": "2.00"}])
    like: Model | None = Field(None, description="Whose limits it has; else its own.")
    source: Text | None = Field(None, description="Where the price is published.")
    document: dict[str, Any] | None = Field(
        None, examples=[None], description="As the history shows it, instead of the fields above."
    )
    from_: datetime | None = Field(None, alias="from", description="Else as soon as all know it.")
    to: datetime | None = Field(None, description="Else for good.")
    note: Text = ""
