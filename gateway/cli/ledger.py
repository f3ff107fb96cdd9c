"""`gateway ledger`: upkeep of the record: months apart, months away, out to a file and in again."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.access import database, now_us, settings_from
from gateway.cli.exits import CheckFailed, WrongUsage
from gateway.cli.options import ConfigOption, JsonOption, SinceOption, UntilOption, verb_group
from gateway.cli.output import print_csv, print_json, print_table, talk
from gateway.cli.times import before
from gateway.core.month import Month

app = verb_group(words="Upkeep of the ledger: months apart, months away, out to a file, in again.")

DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]


@app.command("partition")
def partition(
    ahead: Annotated[
        int, typer.Option("--ahead-months", min=1, max=24, help="Months to come that get a part.")
    ] = 3,
    since: Annotated[
        str | None, typer.Option(help="Also the months from this one on, as 2026-01.")
    ] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Give each month of entries a part of its own, on PostgreSQL. Run it once a month."""
    from gateway.adapters import partitions

    first = None if since is None else _month("--since", since)
    with database(settings_from(config)) as engine:
        if not partitions.has_parts(engine):
            talk("SQLite keeps all entries in one table: there is nothing to part")
            return
        made = partitions.partition(engine, now_us=now_us(), ahead=ahead, since=first)
    names = [part.name for part in made]
    if json:
        print_json({"parts": names})
        return
    talk(f"parts made: {', '.join(names) or 'none'}")


@app.command("prune")
def prune(
    keep_months: Annotated[
        int | None,
        typer.Option(min=1, help="Whole months to keep beside the one that is under way."),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--before", help="The first month to keep, as 2026-01.")
    ] = None,
    unpriced: Annotated[
        bool, typer.Option("--unpriced", help="Also entries that have no cost yet.")
    ] = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Let the entries of old months go. Usage by tenant, model, key and day stays as it is."""
    from gateway.adapters import retention

    first = _first_kept(keep_months, until)
    with database(settings_from(config)) as engine:
        old = retention.old_months(engine, first)
        if not dry_run:
            try:
                retention.prune(engine, first, may_lack_cost=unpriced)
            except retention.StillNeeded as needed:
                raise CheckFailed(str(needed)) from None
    if json:
        print_json([{"month": str(one.month), "requests": one.requests} for one in old])
        return
    print_table(("month", "requests"), [(str(one.month), one.requests) for one in old])
    talk(f"{len(old)} months {'would go' if dry_run else 'gone'}; kept from {first} on")


def _first_kept(keep_months: int | None, until: str | None) -> Month:
    if (keep_months is None) == (until is None):
        raise WrongUsage("say either --keep-months 13 or --before 2026-01")
    latest = Month.at(now_us()).plus(-1)  # responses can be named for a month after they were made
    if until is None:
        return latest.plus(1 - (keep_months or 1))
    first = _month("--before", until)
    if first > latest:
        raise WrongUsage(f"--before {first}: at least this month and the one before are kept")
    return first


@app.command("export")
def export(
    only: Annotated[
        str | None, typer.Option(help="Only these tables, as entry,adjustment; else all.")
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    csv: Annotated[bool, typer.Option("--csv", help="One table as CSV: entry, or --only.")] = False,
    config: ConfigOption = None,
) -> None:
    """Write the record to stdout, a line a row; a span is of entries and their adjustments."""
    from gateway.adapters import archive
    from gateway.adapters.open_holds import open_holds

    tables = _tables(only, csv=csv)
    now = now_us()
    with database(settings_from(config)) as engine:
        if "hold" in tables and (held := len(open_holds(engine, now_us))):
            talk(f"{held} requests are under way: what they come to is not in the file")
        found = archive.rows(
            engine,
            tables,
            since_us=None if since is None else before(since, now),
            until_us=None if until is None else before(until, now),
        )
        if csv:
            print_csv(archive.columns(tables[0]), (archive.cells(row) for _, row in found))
            return
        for line in archive.lines(engine, found):
            sys.stdout.buffer.write(line + b"\n")


@app.command("import")
def read_in(
    file: Annotated[Path, typer.Argument(help="What `gateway ledger export` wrote; - is stdin.")],
    config: ConfigOption = None,
) -> None:
    """Write an exported record into this database, ids unchanged; again changes nothing."""
    from gateway.adapters import archive

    with database(settings_from(config), may_create=True) as engine, _opened(file) as lines:
        try:
            done = archive.read_in(engine, lines)
        except archive.ImportRefused as refused:
            raise CheckFailed(f"{file}: {refused}") from None
    names = [name for name in archive.TABLES if done.written[name] or done.present[name]]
    print_table(
        ("table", "written", "present"),
        [[name, done.written[name], done.present[name]] for name in names],
    )


def _month(option: str, said: str) -> Month:
    try:
        return Month.read(said)
    except ValueError as unreadable:
        raise WrongUsage(f"{option}: {unreadable}") from None


def _tables(only: str | None, *, csv: bool) -> tuple[str, ...]:
    from gateway.adapters import archive

    if only is None:
        return ("entry",) if csv else archive.TABLES
    names = tuple(dict.fromkeys(only.split(",")))
    if unknown := [name for name in names if name not in archive.TABLES]:
        raise WrongUsage(f"--only takes {', '.join(archive.TABLES)}, not {', '.join(unknown)!r}")
    if csv and len(names) > 1:
        raise WrongUsage("--csv writes one table: say which by --only")
    return names


@contextmanager
def _opened(file: Path) -> Iterator[Iterator[bytes]]:
    if str(file) == "-":
        yield iter(sys.stdin.buffer)
        return
    try:
        opened = file.open("rb")
    except OSError as unreadable:
        raise WrongUsage(f"{file}: {unreadable.strerror}") from None
    with opened:
        yield opened
