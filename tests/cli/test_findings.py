"""What a check-up found, and how long it may take."""

import threading

import pytest

from gateway.cli.findings import Finding, examined, fail, ok, warn


def test_findings_come_in_the_checks_order() -> None:
    found = examined(
        [
            ("one", lambda: ok("one", "fine")),
            ("two", lambda: [*warn("two", "old", "renew it"), *ok("three", "fine")]),
            ("four", lambda: fail("four", "gone", "bring it back")),
        ],
        seconds_max=20,
    )
    assert [(one.check, one.level, one.fix) for one in found] == [
        ("one", "ok", ""),
        ("two", "warn", "renew it"),
        ("three", "ok", ""),
        ("four", "fail", "bring it back"),
    ]


def test_what_hangs_has_failed_and_holds_up_nobody() -> None:
    never = threading.Event()
    found = examined(
        [("hangs", lambda: ok("hangs", str(never.wait()))), ("works", lambda: ok("works", "fine"))],
        seconds_max=0.05,
    )
    never.set()
    assert [(one.check, one.level) for one in found] == [("hangs", "fail"), ("works", "ok")]
    assert found[0].said == "no answer within 0.05 s"


def test_what_breaks_is_a_finding() -> None:
    def broken() -> list[Finding]:
        raise KeyError

    (found,) = examined([("breaks", broken)], seconds_max=20)
    assert (found.check, found.level) == ("breaks", "fail")
    assert found.said == "could not be checked: KeyError"


def test_who_finds_fault_says_what_to_do() -> None:
    with pytest.raises(AssertionError):
        Finding(check="one", level="warn", said="old")
