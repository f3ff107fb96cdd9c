"""`gateway policies`: what tenants and keys may ask."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gateway.cli.access import author, database, now_us, settings_from
from gateway.cli.exits import CheckFailed, WrongUsage
from gateway.cli.options import ConfigOption, JsonOption, verb_group
from gateway.cli.output import print_json, print_table, talk

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.adapters.policies import Policies

app = verb_group(words="What tenants and keys may ask; inherited down the tree, then by the key.")

Subject = Annotated[str, typer.Argument(metavar="PATH|KEY-ID", help="A tenant, or a key's id.")]
Names = Annotated[str | None, typer.Option(metavar="A,B", help="Only these are allowed.")]
Types = Annotated[str | None, typer.Option(metavar="A,B", help="Only these types are allowed.")]
Objects = Annotated[
    str | None,
    typer.Option(metavar="A,B", help="These ids may be named, though no tenant made them."),
]
Alias = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=MODEL", help="Ask for NAME, get MODEL; may be repeated."),
]
Number = Annotated[int | None, typer.Option(metavar="N")]
Over = Annotated[
    Literal["clamp", "deny"] | None,
    typer.Option(
        help="What asks for more than a cap: is lowered to it, or refused. A lowered limit may "
        "end a response as incomplete, which agents such as Codex take as fatal."
    ),
]
Permission = Annotated[Literal["allow", "deny"] | None, typer.Option()]
Bound = Annotated[
    Literal["allow", "deny"] | None, typer.Option(help="Requests whose cost has no bound.")
]
Priced = Annotated[Literal["allow", "deny"] | None, typer.Option(help="Models without a price.")]
Disconnect = Annotated[
    Literal["drain", "cancel"] | None, typer.Option(help="When the client hangs up.")
]
Counted = Annotated[
    int | None, typer.Option(metavar="N", help="Of the key, or of the tenant with all below it.")
]
Fit = Annotated[
    Literal["clamp", "deny"] | None,
    typer.Option(
        help="What a budget cannot hold: its output is lowered to what is left, or it is refused."
    ),
]
InputCount = Annotated[
    Literal["bytes", "upstream"] | None,
    typer.Option(help="What bounds an input that a budget cannot hold: its bytes, or a count."),
]
Unset = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FIELD",
        help="Inherit this again; may be repeated. `all` begins anew, also where the policy "
        "cannot be read by this version.",
    ),
]


@app.command("set")
def set_policy(
    subject: Subject,
    *,
    models: Names = None,
    alias: Alias = None,
    max_output_tokens_default: Number = None,
    max_output_tokens_cap: Number = None,
    max_tool_calls_default: Number = None,
    max_tool_calls_cap: Number = None,
    over: Over = None,
    service_tiers: Names = None,
    tools: Types = None,
    objects: Objects = None,
    background: Permission = None,
    store: Permission = None,
    websocket: Permission = None,
    unbounded: Bound = None,
    unpriced: Priced = None,
    on_disconnect: Disconnect = None,
    attempts_max: Number = None,
    concurrent_max: Counted = None,
    requests_per_minute_max: Counted = None,
    tokens_per_minute_max: Counted = None,
    fit: Fit = None,
    input_count: InputCount = None,
    unset: Unset = None,
    config: ConfigOption = None,
) -> None:
    """Say what a tenant or key may ask. What is not named stays as it is."""
    options: dict[str, Any] = dict(locals())
    from gateway.core.policy import ALLOW_LISTS, FIELDS

    said = {name: options[name] for name in FIELDS if options.get(name) is not None}
    said |= {name: _names(name, said[name]) for name in ALLOW_LISTS if name in said}
    if alias:
        said["aliases"] = dict(map(_alias, alias))
    _change(subject, said, unset or [], config)


@app.command()
def show(
    subject: Subject,
    effective: Annotated[
        bool, typer.Option("--effective", help="With what is inherited, and from whom.")
    ] = False,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """What is said of a tenant or key, and who said it."""
    from gateway.adapters.policies import policy_document
    from gateway.core.policy import said_by

    with policies_of(config) as policies:
        found = policies.told(subject, is_effective=effective)
    if json:
        print_json(policy_document(subject, found))
        return
    fields, origins = said_by(found.policy), found.origins
    rows = [(name, _text(value), ", ".join(origins[name])) for name, value in fields.items()]
    print_table(("field", "value", "origin"), rows)


def _change(
    subject: str, given: Mapping[str, object], unset: list[str], config: "Path | None"
) -> None:
    dropped = [name.replace("-", "_") for name in unset]
    both = [name for name in dropped if name in given and name != "aliases"]  # these are added to
    if both:
        raise WrongUsage(f"{both[0]} is both set and unset: keep one")
    if not given and not dropped:
        raise WrongUsage("nothing to set: name a field, as --max-output-tokens-cap 4096")
    with policies_of(config, may_create=True) as policies:
        policies.change(subject, given=given, unset=dropped)
    talk(f"policy of {subject}: {', '.join([*given, *(f'{name} unset' for name in dropped)])}")


@contextmanager
def policies_of(config: "Path | None", *, may_create: bool = False) -> Iterator["Policies"]:
    """Policies, for verbs; an unknown subject or a bad value ends the verb."""
    from gateway.adapters.policies import Policies, SubjectUnknown

    with database(settings_from(config), may_create=may_create) as engine:
        try:
            yield Policies(engine=engine, now_us=now_us, author=author())
        except SubjectUnknown as unknown:
            raise CheckFailed(str(unknown)) from None
        except ValueError as refused:
            raise WrongUsage(str(refused)) from None


def _names(field: str, text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if "" in names:
        raise WrongUsage(f"{field}: write A,B; `--unset {field}` stops restricting them")
    return names


def _alias(text: str) -> tuple[str, str]:
    name, _, model = text.partition("=")
    if not name or not model:
        raise WrongUsage(f"{text!r} is no alias: write NAME=MODEL")
    return name, model


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={model}" for name, model in value.items())
    return ", ".join(value) if isinstance(value, tuple) else str(value)
