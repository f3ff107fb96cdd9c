"""What verbs say: data to stdout, talk to stderr. Not here: what is said."""

import csv
import json
import sys
from collections.abc import Iterable, Sequence

Cell = str | int | float | bool | None
Row = Sequence[Cell]


def talk(line: str) -> None:
    """A line for the person at the keyboard, out of the way of the data."""
    print(line, file=sys.stderr)


def print_json(value: object) -> None:
    """One JSON document, readable by people too."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_json_lines(records: Iterable[object]) -> None:
    """One object a line."""
    for record in records:
        print(json.dumps(record, ensure_ascii=False, separators=(",", ":")))


def print_csv(columns: Sequence[str], rows: Iterable[Row]) -> None:
    """A header and rows, as spreadsheets read them; no value is an empty field."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)


def print_table(columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Aligned columns; with borders when a person looks at them."""
    texts = [[_text(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _print_rich(columns, texts)
        return
    widths = [max(map(len, column)) for column in zip(columns, *texts, strict=True)]
    for line in (columns, *texts):
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())


def _print_rich(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns)
    for row in rows:
        table.add_row(*map(Text, row))  # as Text: a tenant's name is no markup
    Console().print(table)


def _text(cell: Cell) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return f"{cell:g}" if isinstance(cell, float) else str(cell)
