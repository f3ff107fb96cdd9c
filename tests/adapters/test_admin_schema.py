"""The tables of administration are among all tables: what migrates and compares sees them."""

import subprocess
import sys

from gateway.adapters import admin_schema, schema


def test_they_are_among_all_tables() -> None:
    tables = schema.metadata.tables
    assert tables["admin_token"] is admin_schema.admin_token
    assert tables["audit"] is admin_schema.audit


def test_whoever_moves_all_tables_moves_them_too() -> None:
    script = "from gateway.adapters.archive import TABLES; print(*TABLES)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert {"admin_token", "audit", "entry"} <= set(done.stdout.split())
