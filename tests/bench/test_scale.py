"""Databases that were filled in bulk serve as those that grew, and plots show what was measured."""

import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from sqlalchemy import func, select

from bench.memory import growth_bytes
from bench.plot import line_plot
from bench.population import add_entries, add_keys, add_tenants
from bench.processes import compiled
from bench.scale import Growth
from bench.systems import PARENT, TENANT, file_url, gateway, provisioned, upstream
from bench.workloads import WHOLE, Clients
from gateway.adapters import schema
from gateway.adapters.budgets import Budgets
from gateway.adapters.database import open_engine
from gateway.adapters.reports import entries
from tests.fakes.installs import absent

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")


def test_what_is_added_in_bulk_is_served_and_billed(tmp_path: Path) -> None:
    if shutil.which("cc") is None and shutil.which("gcc") is None:
        absent("a C compiler is missing")
    clients = Clients(program=compiled("load", tmp_path), folder=tmp_path)
    quick = replace(WHOLE, connections=4, warm_seconds=0)
    provisioned(file_url(tmp_path), is_budgeted=True)
    engine = open_engine(file_url(tmp_path))
    keys = (*add_tenants(engine, 3), *add_keys(engine, 2))
    with (
        upstream(compiled("upstream", tmp_path), tmp_path) as direct,
        gateway("filled", tmp_path, direct.port, keys=keys) as system,
    ):
        window = clients.ask(system, quick, seconds=0.3)
    assert (window.errors, window.unfinished) == (0, 0)
    found = entries(engine, limit=100_000)
    assert {one.tenant for one in found} == {TENANT, *(f"{PARENT}/t{n}" for n in range(3))}
    budgets = Budgets(engine=engine, now_us=lambda: time.time_ns() // 1000).list_budgets()
    spent = {one.budget.subject: one.account.spent_pusd for one in budgets}
    assert spent[PARENT] == sum(one.cost_pusd or 0 for one in found)
    assert spent[f"{PARENT}/t1"] > 0
    add_entries(engine, 1_000)
    with engine.connect() as connection:
        counted = connection.scalar(select(func.count(schema.entry.c.response_id.distinct())))
    assert counted == len(found) + 1_000
    engine.dispose()


def test_a_plot_begins_at_zero_and_has_every_point() -> None:
    drawn = ET.fromstring(line_plot("cost", "tenants", [(1, 30), (100, 31), (10_000, 9)]))
    kinds = [element.tag.rpartition("}")[2] for element in drawn.iter()]
    assert kinds.count("circle") == 3
    line = next(element for element in drawn.iter() if element.tag.endswith("polyline"))
    heights = [float(point.split(",")[1]) for point in line.attrib["points"].split()]
    zero = 300 - 48
    assert [round((zero - height) * 40 / (zero - 40)) for height in heights] == [30, 31, 9]


def test_a_table_has_a_row_for_each_number() -> None:
    growth = Growth(name="keys", points={1: {"µs": 2.0}, 1000: {"µs": 2.5}})
    assert growth.table().splitlines()[2:] == ["| 1 | 2.0 |", "| 1,000 | 2.5 |"]


def test_growth_is_that_of_the_second_half() -> None:
    assert growth_bytes([*range(50), *[100] * 40, *[107] * 10]) == 7
    assert growth_bytes([5]) == 0
