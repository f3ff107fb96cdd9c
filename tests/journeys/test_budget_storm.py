"""Several processes that together want three times what a budget has, and die now and then.

Not one picodollar is spent above the limit, whatever the moment at which one looks; and what stays
unspent is less than any hold that was refused for good.
"""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from gateway.adapters import schema
from gateway.adapters.database import open_engine
from tests.fakes import budgetload, ledgerview, postgres
from tests.fakes.budgets import figures, set_budget

ROOT = Path(__file__).parents[2]
PROCESSES = {"sqlite": 2, "postgres": 4}
DEMAND = 3  # times the limit
LOOK_SECONDS = 0.05
SECONDS_MAX = 1800.0


class Storm:
    """The processes, and what they say."""

    def __init__(self, url: str, folder: Path, *, seed: int, requests: int, processes: int) -> None:
        self._folder = folder
        self._command = [sys.executable, str(Path(budgetload.__file__)), url, str(folder / "state")]
        self._seed = seed
        self._requests = requests // processes
        self._said: list[Path] = []
        self.processes = [self._started() for _ in range(processes)]
        self.kills = 0

    @property
    def is_over(self) -> bool:
        return all(one.poll() is not None for one in self.processes)

    def kill_one(self) -> None:
        """The oldest dies, and one comes in its place that wants as much."""
        oldest = self.processes.pop(0)
        oldest.kill()
        oldest.wait()
        self.processes.append(self._started())
        self.kills += 1

    def end(self) -> None:
        for one in self.processes:
            one.kill()
            one.wait()

    def told(self) -> list[str]:
        return [line for path in self._said for line in path.read_text("ascii").splitlines()]

    def _started(self) -> subprocess.Popen[bytes]:
        number = len(self._said)
        self._said.append(self._folder / f"said-{number}")
        arguments = [f"{self._seed}-{number}", str(self._requests)]
        with self._said[-1].open("wb") as stdout:
            return subprocess.Popen(
                [*self._command, *arguments],
                stdout=stdout,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )


@pytest.fixture(params=PROCESSES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def database_url(kind: str, tmp_path: Path) -> Iterator[str]:
    if kind == "postgres":
        with postgres.database() as url:
            yield url
        return
    url = f"sqlite:///{tmp_path}/gateway.db"
    engine = open_engine(url)
    schema.metadata.create_all(engine)
    engine.dispose()
    yield url


def look(engine: Engine, limit_pusd: int) -> int:
    """What is spent, in a moment in which nothing is above the limit."""
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ")
        open_pusd = connection.scalar(select(func.coalesce(func.sum(schema.hold.c.hold_pusd), 0)))
        told = ledgerview.accounts(connection)
    for _, _, held_pusd, spent_pusd, excess_pusd in told.values():
        assert held_pusd == open_pusd
        assert spent_pusd + held_pusd <= limit_pusd
        assert excess_pusd == 0
    return max((spent_pusd for _, _, _, spent_pusd, _ in told.values()), default=0)


@pytest.mark.parametrize(
    ("seed", "admissions", "kills"),
    [
        (0, 5_000, 3),
        *(pytest.param(seed, 100_000, 10, marks=pytest.mark.long) for seed in range(1, 11)),
    ],
)
def test_no_storm_spends_above_the_limit(
    kind: str, database_url: str, tmp_path: Path, seed: int, admissions: int, kills: int
) -> None:
    engine = open_engine(database_url)
    limit_pusd = round(admissions * budgetload.COST_PUSD_MEAN)
    set_budget(engine, period="total", limit_pusd=limit_pusd)
    set_budget(engine, id="2-team", subject="acme/search", period="total", limit_pusd=limit_pusd)
    begun, looks = time.monotonic(), 0
    storm = Storm(
        database_url,
        tmp_path,
        seed=seed,
        requests=DEMAND * admissions,
        processes=PROCESSES[kind],
    )
    try:
        while not storm.is_over:
            assert time.monotonic() < begun + SECONDS_MAX
            spent_pusd, looks = look(engine, limit_pusd), looks + 1
            if storm.kills < kills and spent_pusd * (kills + 1) > limit_pusd * (storm.kills + 1):
                storm.kill_one()
            time.sleep(LOOK_SECONDS)
    finally:
        storm.end()
    seconds = time.monotonic() - begun
    assert [one.returncode for one in storm.processes] == [0] * PROCESSES[kind]
    assert storm.kills == kills

    ledgerview.audit(engine)
    held_pusd, spent_pusd, excess_pusd = figures(engine)
    bases = Counter(row["basis"] for row in ledgerview.rows(engine, schema.entry))
    engine.dispose()
    said = storm.told()
    refused = [int(line.split()[1]) for line in said if line.startswith("exhausted")]
    unspent_pusd = limit_pusd - spent_pusd
    print(
        f"{kind}, seed {seed}: {bases.total()} admitted in {seconds:.1f} s, {len(refused)} refused,"
        f" {said.count('held')} held off, {storm.kills} killed, {bases['worst_case']} worst cases,"
        f" {looks} looks; unspent {unspent_pusd} of {limit_pusd}, excess {excess_pusd}"
    )
    assert (held_pusd, excess_pusd) == (0, 0)
    assert bases["worst_case"] > 0
    assert 0 <= unspent_pusd < min(refused)
