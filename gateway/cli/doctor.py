"""`gateway doctor`: whether a gateway can work here, each line with its fix. Changes nothing.

Not here: the checks, of the machine (`doctor_machine`) and of what is beyond it (`doctor_reach`).
"""

from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cli.exits import CheckFailed
from gateway.cli.findings import Finding, examined, fail
from gateway.cli.options import ConfigOption, JsonOption
from gateway.cli.output import print_json, talk

if TYPE_CHECKING:
    from gateway.config.settings import Settings

SECONDS_MAX = 8.0  # for all checks together: they run side by side


def doctor(json: JsonOption = False, config: ConfigOption = None) -> None:
    """Whether a gateway can work here; exit code 1 when something cannot."""
    findings = _findings(config)
    if json:
        print_json(
            [
                {"check": one.check, "level": one.level, "said": one.said, "fix": one.fix or None}
                for one in findings
            ]
        )
    else:
        _print(findings)
    failed = sum(one.level == "fail" for one in findings)
    if failed:
        raise CheckFailed(f"{failed} of {len(findings)} checks failed")
    talk(f"gateway: {len(findings)} checks, {sum(one.level == 'warn' for one in findings)} to know")


def _print(findings: list[Finding]) -> None:
    width = max(len(one.check) for one in findings)
    for one in findings:
        print(f"{one.level:4}  {one.check:{width}}  {one.said}")
        if one.fix:
            print(f"{'':4}  {'':{width}}  → {one.fix}")


def _findings(config: Path | None) -> list[Finding]:
    from gateway.cli import doctor_machine
    from gateway.config.sources import ConfigInvalid, load_settings

    try:
        settings = load_settings(config)
    except ConfigInvalid as invalid:
        return [
            *doctor_machine.python(),
            *(found for line in invalid.problems for found in _refused(line)),
        ]
    return _examined(settings)


def _refused(problem: str) -> list[Finding]:
    return fail("configuration", problem, "correct it; all other checks need a configuration")


def _examined(settings: "Settings") -> list[Finding]:
    from gateway.cli import doctor_machine, doctor_reach

    return examined(
        [
            ("python", doctor_machine.python),
            ("configuration", lambda: doctor_machine.configuration(settings)),
            ("secrets", lambda: doctor_machine.secrets(settings)),
            ("alerts", lambda: doctor_machine.alerts(settings)),
            ("state folder", lambda: doctor_machine.state_folder(settings)),
            ("database", lambda: doctor_reach.database(settings)),
            ("disk", lambda: doctor_machine.disk(settings)),
            ("prices", lambda: doctor_machine.prices(settings)),
            ("port", lambda: doctor_reach.ports(settings)),
            ("descriptors", lambda: doctor_machine.descriptors(settings)),
            ("upstream", lambda: doctor_reach.upstream(settings)),
        ],
        seconds_max=SECONDS_MAX,
    )
