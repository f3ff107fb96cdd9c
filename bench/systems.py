"""The systems that are measured, each started before the same upstream.

The gateway twice, nginx as what relaying costs at least, LiteLLM as what most Python users run, and
the upstream itself, against which latency is told. Not here: what they are asked (`workloads`).
"""

import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.processes import NotHere, await_port, cores, free_port, said_port, started
from gateway.adapters.budgets import Budgets
from gateway.adapters.database import open_engine
from gateway.adapters.directory import Directory
from gateway.adapters.migrate import upgrade
from gateway.adapters.policies import Policies
from gateway.core.money import PUSD_PER_USD

ROOT = Path(__file__).resolve().parent.parent
MODEL = "gpt-5-mini"
TENANT, PARENT = "bench/team", "bench"
LIMIT_PUSD = 4_000_000 * PUSD_PER_USD
CONNECTIONS_MAX = 6000  # to the upstream; the usual 1,000 would be the limit of the largest loads
LITELLM_KEY = "sk-bench"
POLICY: dict[str, object] = {
    "models": [MODEL],
    "max_output_tokens_default": 1024,
    "max_output_tokens_cap": 4096,
}
NGINX = """\
worker_processes 1; daemon off; pid {folder}/nginx.pid; worker_rlimit_nofile 20000;
events {{ worker_connections 16000; }}
http {{
  access_log off; keepalive_requests 100000000; client_body_buffer_size 64k;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  upstream api {{ server 127.0.0.1:{upstream}; keepalive 2048; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""
LITELLM = """\
model_list:
  - model_name: {model}
    litellm_params:
      model: openai/{model}
      api_base: http://127.0.0.1:{upstream}/v1
      api_key: sk-upstream
general_settings:
  master_key: {key}
litellm_settings:
  telemetry: false
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """Something that answers on a port; `pid` is the root of its processes, None: not weighed."""

    name: str
    port: int
    pid: int | None
    keys: tuple[str, ...]


def now_us() -> int:
    return time.time_ns() // 1000


def environment(**given: str) -> dict[str, str]:
    """This process' own, without settings of a gateway or words for Python clients."""
    dropped = ("GATEWAY_", "OPENAI_", "LITELLM_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {**kept, "PYTHONPATH": str(ROOT), **given}


@contextmanager
def upstream(program: Path, folder: Path) -> Iterator[System]:
    command = (program, "0")
    log = folder / "upstream.log"
    with started(command, core=cores()[0], env=environment(), log=log) as process:
        yield System(name="direct", port=said_port(process), pid=None, keys=("none",))


def file_url(folder: Path) -> str:
    """The database that a gateway in `folder` has, where none is named."""
    return f"sqlite:///{folder / 'gateway.db'}"


def provisioned(url: str, *, is_budgeted: bool) -> str:
    """A new database with a tenant, its policy and, on it and its parent, hard budgets: a key."""
    engine = open_engine(url, synchronous="NORMAL")
    upgrade(engine)
    directory = Directory(engine=engine, now_us=now_us)
    directory.create_tenant(TENANT)
    Policies(engine=engine, now_us=now_us).change(TENANT, given=POLICY)
    budgets = Budgets(engine=engine, now_us=now_us)
    for subject in (PARENT, TENANT) if is_budgeted else ():
        budgets.set_budget(subject, period="month", given={"limit_pusd": LIMIT_PUSD})
    key = directory.issue_key(TENANT).text
    engine.dispose()
    return key


@contextmanager
def gateway(
    name: str,
    folder: Path,
    upstream_port: int,
    *,
    keys: tuple[str, ...],
    workers: int = 1,
    settings: Mapping[str, str] | None = None,
) -> Iterator[System]:
    """A gateway on the database in `folder`, on its core; several workers may use every core."""
    folder.mkdir(exist_ok=True)
    (folder / "gateway.toml").touch()
    env = environment(
        GATEWAY_CONFIG=str(folder / "gateway.toml"),
        GATEWAY_STATE_DIR=str(folder),
        GATEWAY_UPSTREAM_BASE_URL=f"http://127.0.0.1:{upstream_port}/v1",
        GATEWAY_UPSTREAM_API_KEY="sk-upstream",
        GATEWAY_UPSTREAM_CONNECTIONS_MAX=str(CONNECTIONS_MAX),
        **{"GATEWAY_DATABASE_URL": file_url(folder), **(settings or {})},
    )
    command = (sys.executable, "-m", "gateway", "serve", "--port", "0", "--workers", str(workers))
    core = cores()[1] if workers == 1 else os.sched_getaffinity(0)
    with started(command, core=core, env=env, log=folder / "gateway.log") as process:
        yield System(name=name, port=said_port(process), pid=process.pid, keys=keys)


@contextmanager
def full(folder: Path, upstream_port: int) -> Iterator[System]:
    """Everything on: keys, policy, two hard budgets, a ledger that survives a loss of power."""
    folder.mkdir()
    key = provisioned(file_url(folder), is_budgeted=True)
    with gateway("gateway, everything on", folder, upstream_port, keys=(key,)) as system:
        yield system


@contextmanager
def light(folder: Path, upstream_port: int) -> Iterator[System]:
    """The least that can be set: no budgets, `synchronous=NORMAL`. There is no ledger-less mode."""
    folder.mkdir()
    key = provisioned(file_url(folder), is_budgeted=False)
    settings = {"GATEWAY_LEDGER_SYNCHRONOUS": "NORMAL"}
    name = "gateway, no budgets, NORMAL"
    with gateway(name, folder, upstream_port, keys=(key,), settings=settings) as system:
        yield system


@contextmanager
def on_postgresql(url: str, folder: Path, upstream_port: int) -> Iterator[System]:
    """Everything on, with a database that is there and empty; its own processes are not weighed."""
    if not url:
        raise NotHere("PostgreSQL: no --postgresql URL of an empty database is given")
    folder.mkdir()
    key = provisioned(url, is_budgeted=True)
    settings = {"GATEWAY_DATABASE_URL": url}
    name = "gateway, everything on, PostgreSQL"
    with gateway(name, folder, upstream_port, keys=(key,), settings=settings) as system:
        yield system


@contextmanager
def nginx(folder: Path, upstream_port: int) -> Iterator[System]:
    """One worker that relays and does nothing else. Raises NotHere."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        raise NotHere("nginx is not installed")
    folder.mkdir()
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, upstream=upstream_port, port=port))
    command = (program, "-c", config, "-e", folder / "error.log")
    with started(
        command, core=cores()[1], env=environment(), log=folder / "log", is_heard=False
    ) as process:
        await_port(process, port)
        yield System(name="nginx", port=port, pid=process.pid, keys=("none",))


@contextmanager
def litellm(program: str, folder: Path, upstream_port: int) -> Iterator[System]:
    """Its proxy with one worker, a master key and no database: nothing is kept. Raises NotHere."""
    path = shutil.which(program)
    if path is None:
        raise NotHere(f"{program} is not installed")
    folder.mkdir()
    port = free_port()
    config = folder / "config.yaml"
    config.write_text(LITELLM.format(model=MODEL, upstream=upstream_port, key=LITELLM_KEY))
    command = (path, "--config", config, "--host", "127.0.0.1", "--port", str(port))
    env = environment(LITELLM_LOG="ERROR", LITELLM_LOCAL_MODEL_COST_MAP="True")
    with started(command, core=cores()[1], env=env, log=folder / "log", is_heard=False) as process:
        await_port(process, port)
        yield System(name="LiteLLM", port=port, pid=process.pid, keys=(LITELLM_KEY,))
