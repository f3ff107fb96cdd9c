"""A gateway that does not take a machine which is busy with tests for a dead database.

What becomes of requests past the limits of time inside is told in tests of their own.
"""

from gateway.adapters import hard_budgets, ledger, ownership

SECONDS = 20.0
LIMITS = (
    (ledger, "HOLD_SECONDS_MAX"),
    (ledger, "SETTLE_SECONDS_MAX"),
    (hard_budgets, "READ_SECONDS_MAX"),
    (ownership, "READ_SECONDS_MAX"),
)


def be_patient() -> None:
    """In this process, and for good."""
    for module, name in LIMITS:
        setattr(module, name, SECONDS)
