"""`python -m bench`: measures, prints a table, writes JSON. Arguments only."""

import argparse
import json
import sys
from pathlib import Path

from bench.comparison import Extent, compare
from bench.processes import NotHere
from bench.report import machine, put, told

ROOT = Path(__file__).resolve().parent.parent
PAGES = ((ROOT / "docs" / "benchmark.md", "comparison"), (ROOT / "README.md", "bench"))


def parse(words: list[str] | None = None) -> argparse.Namespace:
    usual = Extent()
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--windows", type=int, default=usual.windows, help="windows a figure")
    parser.add_argument("--seconds", type=float, default=usual.seconds, help="of a window")
    parser.add_argument("--litellm", default="litellm", help="its program, to be measured too")
    parser.add_argument(
        "--postgresql", default="", help="the URL of an empty database, for one more"
    )
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="all figures")
    parser.add_argument("--update-docs", action="store_true", help="put the table into the pages")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> int:
    options = parse(words)
    on = machine()
    extent = Extent(windows=options.windows, seconds=options.seconds)
    try:
        compared = compare(
            extent, litellm_program=options.litellm, postgresql_url=options.postgresql
        )
    except NotHere as why:
        print(f"bench: {why}", file=sys.stderr)
        return 1
    options.json.write_text(json.dumps({"machine": on, **compared.as_json()}, indent=1) + "\n")
    text = told(compared, on)
    print(text)
    if options.update_docs:
        for page, name in PAGES:
            put(text, page, name=name)
    return 1 if compared.errors() else 0


if __name__ == "__main__":
    sys.exit(main())
