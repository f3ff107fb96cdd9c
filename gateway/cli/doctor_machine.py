"""Check-ups of this machine: the program's ground, its settings, its folders and its limits.

Each takes settings and returns findings. Not here: what needs a network or the database
(`doctor_reach`).
"""

import fcntl
import os
import resource
import shutil
import stat
import sys
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cli.findings import Finding, fail, ok, warn

if TYPE_CHECKING:
    from gateway.config.settings import Settings

PYTHON_MIN = (3, 11)
PRICES_DAYS_MAX = 90
DISK_BYTES_MIN = 100 * 1024 * 1024
DISK_BYTES_LOW = 1024 * 1024 * 1024
DESCRIPTORS_BESIDE = 100  # database, logs, listening sockets
TOKEN_LENGTH_MIN = 16
MOUNTS = Path("/proc/self/mountinfo")
NETWORK_FILESYSTEMS = ("nfs", "cifs", "smb", "9p", "ceph", "gluster", "lustre", "afs", "fuse.")
FLEETING_FILESYSTEMS = frozenset({"tmpfs", "ramfs", "overlay", "aufs"})

# Settings that give up a promise: with which value, and which promise.
RISKS = (
    ("ledger.synchronous", "NORMAL", "a loss of power may lose the last settled entries"),
    ("policy.unpriced", "record", "models without a price pass, and their cost stays open"),
    ("log.level", "debug", "the log is long; it holds no prompt and no key all the same"),
)


def python() -> list[Finding]:
    """Whether the interpreter is one that the program is written for."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < PYTHON_MIN:
        return fail("python", version, "use Python 3.11 or newer")
    return ok("python", version)


def configuration(settings: "Settings") -> list[Finding]:
    """Valid, as it was read; and which of its values give up a promise, with their origin."""
    from gateway.config.fields import shown
    from gateway.config.settings import warnings

    found = [warn("configuration", line, "use https") for line in warnings(settings)]
    found += [
        warn(
            "configuration", f"{name} = {value} ({settings.origin(name)}): {words}", f"unset {name}"
        )
        for name, value, words in RISKS
        if shown(settings, name) == value
    ]
    return [each for line in found for each in line] or ok("configuration", "valid")


def secrets(settings: "Settings") -> list[Finding]:
    """The upstream's key is the upstream's to judge; here: files, and the operator's own token."""
    from gateway.config.secret import CurrentSecret, SecretUnreadable
    from gateway.core.address import is_loopback

    alerts = settings.alerts
    try:
        token = CurrentSecret(settings.admin.token, settings.admin.token_file)()
        CurrentSecret(settings.upstream.api_key, settings.upstream.api_key_file)
        CurrentSecret(alerts.webhook_url, alerts.webhook_url_file)
        CurrentSecret(alerts.webhook_secret, alerts.webhook_secret_file)
    except SecretUnreadable as unreadable:
        return fail("secrets", str(unreadable), "let the file hold the secret, and be readable")
    files = (
        settings.admin.token_file,
        settings.upstream.api_key_file,
        alerts.webhook_url_file,
        alerts.webhook_secret_file,
    )
    for file in filter(None, files):
        if file.stat().st_mode & stat.S_IROTH:
            return warn(
                "secrets", f"everybody on this machine may read {file}", f"chmod o-r {file}"
            )
    if token and len(token) < TOKEN_LENGTH_MIN:
        return warn("secrets", "the admin token is short", "make one with `openssl rand -hex 32`")
    if not token and not is_loopback(settings.host):
        said = "no admin token: /metrics refuses everybody off loopback"
        return warn("secrets", said, "set GATEWAY_ADMIN_TOKEN_FILE")
    return ok("secrets", "an admin token is set" if token else "on loopback none is needed")


def alerts(settings: "Settings") -> list[Finding]:
    """Whether anybody is told, and can know that it was us; nothing is sent."""
    from gateway.adapters.webhook import WebhookUnusable
    from gateway.app.notifier import webhook_for
    from gateway.config.secret import SecretUnreadable

    try:
        webhook = webhook_for(settings.alerts)
    except (SecretUnreadable, WebhookUnusable) as refused:
        return fail("alerts", str(refused), "correct it, or unset GATEWAY_ALERTS_WEBHOOK_URL")
    if webhook is None:
        return ok("alerts", "no webhook is named: passed thresholds are noted, and nobody is told")
    if settings.alerts.format == "json" and not webhook.is_signed:
        said = f"what is sent to {webhook.host} is not signed: anybody could have sent it"
        return warn("alerts", said, "set GATEWAY_ALERTS_WEBHOOK_SECRET_FILE")
    return ok("alerts", f"sent to {webhook.host}, {settings.alerts.format}")


def state_folder(settings: "Settings") -> list[Finding]:
    """Writable, lockable, and there again after a restart."""
    folder = settings.state_dir
    there = nearest_existing(folder)
    try:
        is_locking = _is_locking(there)
    except OSError as refused:
        said = f"{folder}: {refused.strerror}"
        return fail("state folder", said, "give it to the gateway's user, or set GATEWAY_STATE_DIR")
    if not is_locking:
        fix = "set GATEWAY_STATE_DIR to a folder on a local disk"
        return fail("state folder", f"{folder}: file locks exclude nobody there", fix)
    return kept("state folder", there) or ok(
        "state folder", f"{folder}, {filesystem(there) or 'a filesystem'}: writable, lockable"
    )


def kept(check: str, folder: Path) -> list[Finding]:
    """A warning where a folder does not outlive its machine or its container."""
    kind = filesystem(folder)
    if kind not in FLEETING_FILESYSTEMS:
        return []
    fix = "mount a volume there, or set GATEWAY_STATE_DIR to one"
    return warn(check, f"{folder.absolute()} is on {kind}: it is gone when its container is", fix)


def disk(settings: "Settings") -> list[Finding]:
    """Room for the ledger."""
    folder = nearest_existing(settings.state_dir)
    free = shutil.disk_usage(folder).free
    said = f"{free / DISK_BYTES_LOW:.1f} GiB free at {folder.absolute()}"
    if free < DISK_BYTES_MIN:
        return fail("disk", said, "make room: without it nothing can be recorded, nor served")
    if free < DISK_BYTES_LOW:
        return warn("disk", said, "make room: an entry takes about 1 KiB")
    return ok("disk", said)


def prices(settings: "Settings") -> list[Finding]:
    """The book loads, and is not old."""
    from gateway.adapters.price_format import PriceFileInvalid
    from gateway.adapters.pricefile import load_prices

    try:
        book = load_prices(settings.prices.file)
    except PriceFileInvalid as invalid:
        return fail("prices", str(invalid), "`gateway prices check FILE` tells what is wrong")
    days = (datetime.now(UTC).date() - date.fromisoformat(book.version[:10])).days
    said = f"{len(book.names())} models, as of {book.version[:10]}"
    if days > PRICES_DAYS_MAX:
        fix = "upgrade, or compare with the upstream's prices and set GATEWAY_PRICES_FILE"
        return warn("prices", f"{said}: {days} days old", fix)
    return ok("prices", said)


def descriptors(settings: "Settings") -> list[Finding]:
    """Two sockets a request: the client's and the upstream's."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * settings.upstream.connections_max + DESCRIPTORS_BESIDE
    said = f"{limit} open files allowed, {wanted} for upstream.connections_max requests at once"
    if limit == resource.RLIM_INFINITY or limit >= wanted:
        return ok("descriptors", said)
    return warn("descriptors", said, f"raise it (`ulimit -n {wanted}`), or lower connections_max")


def nearest_existing(folder: Path) -> Path:
    """The folder, or the one in which it would be made."""
    return next(each for each in (folder, *folder.absolute().parents) if each.exists())


def filesystem(path: Path) -> str:
    """The kind of filesystem that a path is on; empty where the kernel does not tell."""
    try:
        lines = MOUNTS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    real, found = path.resolve(), ("", "")
    for line in lines:
        fields, _, source = line.partition(" - ")
        mounted = Path(fields.split()[4].replace("\\040", " "))
        # Of several mounts on one place the last is on top.
        if real.is_relative_to(mounted) and len(str(mounted)) >= len(found[0]):
            found = str(mounted), source.split()[0]
    return found[1]


def is_network(kind: str) -> bool:
    """Whether a filesystem's locks and shared memory are another machine's word."""
    return kind.startswith(NETWORK_FILESYSTEMS)


def _is_locking(folder: Path) -> bool:
    with tempfile.NamedTemporaryFile(dir=folder, prefix="doctor-") as mine:
        fcntl.flock(mine, fcntl.LOCK_EX | fcntl.LOCK_NB)
        other = os.open(mine.name, os.O_RDWR)
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(other)
    return False
