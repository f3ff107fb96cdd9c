"""Data to stdout, talk to stderr."""

import io
import sys

import pytest

from gateway.cli.output import print_csv, print_json, print_json_lines, print_table, talk

COLUMNS = ("name", "count", "share", "on", "note")
ROWS = (("a,b", 1, 0.5, True, None), ("ünï", 10_000, 2.0, False, "[red]x"))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_talk_stays_out_of_the_data(capsys: pytest.CaptureFixture[str]) -> None:
    talk("done")
    assert capsys.readouterr() == ("", "done\n")


def test_a_table_is_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(COLUMNS, ROWS)
    assert capsys.readouterr().out == (
        "name  count  share  on   note\n"
        "a,b   1      0.5    yes  -\n"
        "ünï   10000  2      no   [red]x\n"
    )


def test_a_table_without_rows_is_its_header(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("a", "bb"), [])
    assert capsys.readouterr().out == "a  bb\n"


def test_a_terminal_gets_borders_and_the_same_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    print_table(COLUMNS, ROWS)
    shown = terminal.getvalue()
    assert "┃" in shown
    assert "[red]x" in shown
    assert "\x1b[3" not in shown  # no colours


def test_csv(capsys: pytest.CaptureFixture[str]) -> None:
    print_csv(COLUMNS, ROWS)
    assert capsys.readouterr().out.splitlines()[:2] == [
        "name,count,share,on,note",
        '"a,b",1,0.5,True,',
    ]


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"ü": None})
    assert capsys.readouterr().out == '{\n  "ü": null\n}\n'
    print_json_lines([{"a": 1}, {"b": "x\ny"}])
    assert capsys.readouterr().out == '{"a":1}\n{"b":"x\\ny"}\n'
