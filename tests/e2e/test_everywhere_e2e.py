"""What holds on every screen, in a real terminal: palette, own keys, help, looks, pictures, the next start."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import xml.etree.ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runs.folder import all_runs
from runs.notify_settings import settings_path
from tests.conftest import ROOT, pids_with, wait_until
from tests.e2e.tmux import Terminal
from tests.run_writer import finished_run, two_runs
from tests.tiny import new_run, tiny_config, train
from tui.remembered import remembered_path

_DASHBOARD = f"PYTHONPATH={ROOT} {sys.executable} -m tui"
_SIZES = [(200, 60), (80, 24)]
_COLOUR = re.compile(r"\x1b\[([\d;]+)m")
_SOON_S = 4.0  # in which a change of the arrangement is on the disk
Make = Callable[[int, int], Terminal]


@pytest.fixture
def window(tmp_path: Path) -> Iterator[Make]:
    """Makes a tmux window of a size."""
    opened: list[Terminal] = []

    def make(columns: int, rows: int) -> Terminal:
        opened.append(Terminal(tmp_path, columns, rows))
        return opened[-1]

    yield make
    for terminal in opened:
        terminal.close()


def codes(terminal: Terminal) -> set[str]:
    """Every sequence of colours and styles on the screen."""
    return set(_COLOUR.findall(terminal.coloured()))


def grounds(terminal: Terminal) -> set[str]:
    """The colours behind the words."""
    return set(re.findall(r"48;[\d;]+", terminal.coloured()))


def scroll_to(terminal: Terminal, pattern: str) -> None:
    """Go down in the help until the pattern is in sight."""

    def found() -> bool:
        if re.search(pattern, terminal.screen()):
            return True
        terminal.type("Down")
        return False

    wait_until(found, what=pattern)


def leave(terminal: Terminal, key: str = "q") -> None:
    terminal.type(key)
    terminal.see("ended with 0")
    terminal.close()


def kill(runs: Path) -> None:
    """End the dashboard as a crash does; it has no time for anything."""
    for pid in pids_with("TINYTRAIN_RUNS", str(runs)):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if b"-m" in words and b"tui" in words:
            os.kill(pid, signal.SIGKILL)


def remembered(section: str) -> Any:
    """What is on the disk of a section."""
    try:
        return json.loads(remembered_path().read_bytes()).get(section, {})
    except FileNotFoundError:
        return {}


@pytest.mark.parametrize(("columns", "rows"), _SIZES)
def test_palette_own_keys_help_look_and_picture(
    window: Make, tmp_path: Path, runs_path: Path, columns: int, rows: int
) -> None:
    two_runs(runs_path)
    settings_path().parent.mkdir(parents=True, exist_ok=True)
    settings_path().write_text('[keys]\nquit = "Q"\n[keys.runs]\nsort = "f6"\n')
    terminal = window(columns, rows)
    terminal.open(_DASHBOARD, tmp_path)
    terminal.see(r"Presets[\s\S]*Q Quit")

    # what another screen does, from here
    terminal.type("C-p", "=headings")
    terminal.see(r"Runs › Group")
    terminal.type("Enter")
    terminal.see(r"Group by[\s\S]*day it was made")
    terminal.type("=state", "Enter")
    terminal.see(r"▾ finished[\s\S]*warm-otter")

    # a key of one's own, where it is shown and where it is pressed
    terminal.type("o", "q")  # no longer theirs
    terminal.type("?")
    terminal.see(r"esc closes")
    scroll_to(terminal, r"f6 +Choose the field to order by")
    terminal.type("?")
    terminal.see_no("esc closes")
    if columns > 100:
        terminal.see(r"f6 Sort[^\n]*Q Quit")
    terminal.type("f6")
    terminal.see(r"Order by")
    terminal.type("=name", "Enter")
    terminal.see(r"by name|name[↑↓]")

    # help speaks of the pane
    terminal.type("C-p", "=open run warm")
    terminal.see(r"Open run warm-otter")
    terminal.type("Enter")
    terminal.see(r"finished +warm-otter[\s\S]*loss \(nats\)")
    terminal.type("Left")
    terminal.see(r"@ step 400")
    terminal.type("?")
    terminal.see(r"in the pane Chart[\s\S]*move the crosshair")
    terminal.type("?")
    terminal.see_no("esc closes")

    # another look, there again after a restart
    dark = grounds(terminal)
    terminal.type("C-p", "=theme tinytrain-light")
    terminal.see(r"Light: the same by day")
    terminal.type("Enter")
    terminal.see_no("Light: the same by day")
    terminal.settled()
    light = wait_until(lambda: grounds(terminal) - dark, what="other colours")
    leave(terminal, "Q")
    terminal.open(_DASHBOARD, tmp_path)
    terminal.see(r"finished +warm-otter[\s\S]*loss \(nats\)")
    wait_until(lambda: grounds(terminal) & light and not grounds(terminal) & dark, what="the same colours")

    # a picture of it
    terminal.type("F12")
    (picture,) = wait_until(lambda: list(tmp_path.glob("tinytrain-monitor-*.svg")), what="the picture")
    drawn = wait_until(
        lambda: "".join(xml.etree.ElementTree.parse(picture).getroot().itertext()), what="its words"
    )
    assert "warm-otter" in drawn and "unigram" in drawn
    leave(terminal, "Q")


def test_no_colour_and_sixteen_colours(window: Make, tmp_path: Path, runs_path: Path) -> None:
    two_runs(runs_path)
    terminal = window(80, 24)
    terminal.open(f"NO_COLOR=1 {_DASHBOARD}", tmp_path)
    terminal.see(r"quickstart[\s\S]*ready to launch[\s\S]*q Quit")
    parts = {part for code in codes(terminal) for part in code.split(";")}
    assert "7" in parts and parts <= {"0", "1", "2", "3", "4", "7", "22", "23", "24", "27", "39", "49"}
    leave(terminal)

    terminal.open(f"env -u TMUX -u COLORTERM TERM=linux {_DASHBOARD}", tmp_path)
    terminal.see(r"quickstart[\s\S]*ready to launch[\s\S]*q Quit")
    terminal.type("4")
    terminal.see(r"Curves[\s\S]*step +0")
    parts = {part for code in codes(terminal) for part in code.split(";")}
    coloured = {part for part in parts if part[0] in "349" and len(part) == 2} - {"39", "49"}
    assert len(coloured) >= 3 and not parts & {"38", "48"}
    leave(terminal)


@pytest.mark.parametrize(("columns", "rows", "how"), [(200, 60, "quit"), (80, 24, "killed")])
def test_the_next_start_is_as_the_last_one_was_left(
    window: Make, tmp_path: Path, runs_path: Path, columns: int, rows: int, how: str
) -> None:
    finished_run(runs_path, "first")
    for name in ("second", "third"):
        run = new_run(runs_path, tiny_config(train__max_steps=10))
        train(run)
        run.write_about(run.about().__class__(name=name))
    terminal = window(columns, rows)
    terminal.open(_DASHBOARD, tmp_path)
    terminal.see("Presets")

    terminal.type("3")
    terminal.see(r"third[\s\S]*first")
    terminal.type("/")
    terminal.see(r"words, state:running")
    terminal.type("=name:second OR name:third", "Enter")
    terminal.see(r"2 of 3")

    terminal.type("C-a", "c")
    terminal.see(r"─ [a-z ]*loss[\s\S]*step +0")  # the curves are drawn, so the metrics are known
    terminal.type("g")
    terminal.see(r"Metric of the curves")
    terminal.type("=grad_norm", "Enter")
    terminal.see(r"─ gradient norm")

    terminal.type("5")
    terminal.see(r"\d tokens of 16")
    terminal.type("m")
    terminal.see(r"second[\s\S]*@5 ")
    terminal.type("Down", "Enter")  # not the newest one, with which it would begin anyway
    terminal.see(r"second · \S+ @\d+")
    terminal.type("e", "C-u", "=a nation of [MASK]")
    terminal.see(r"a nation of \[MASK\][\s\S]*1 mask · 4 tokens of 16")
    terminal.type("Enter")

    terminal.type("6")
    terminal.see(r"datasets")
    terminal.type(*["Down"] * 3)
    entry = wait_until(lambda: remembered("data").get("entry"), _SOON_S, "the entry is kept")

    terminal.type("3")
    terminal.see(r"2 of 3")
    terminal.type("C-p", "=open run first")
    terminal.see(r"Open run first")
    terminal.type("Enter")
    terminal.see(r"finished +first[\s\S]*loss \(nats\)")
    terminal.type("g")
    terminal.see(r"Charts of Monitor[\s\S]*1 ✓ loss")
    terminal.type("Right", "Down", "Down", "Space")  # one column, no gradient norm
    terminal.see(r"1 column\b")
    terminal.type("Enter")
    terminal.see(r"finished +first[\s\S]*╭─ loss")
    terminal.type("a", "a")
    terminal.see(r"tokens +0")

    if how == "quit":
        leave(terminal)
    else:
        wait_until(lambda: remembered("monitor").get("x") == "tokens", _SOON_S, "the axis is kept")
        kill(runs_path)
        terminal.see(r"ended with 137")
        terminal.close()
    kept = remembered("data")["entry"]
    assert entry and kept != ""

    terminal.open(_DASHBOARD, tmp_path)
    terminal.see(r"finished +first[\s\S]*╭─ loss[\s\S]*tokens +0")
    assert "grad norm" not in terminal.screen()
    terminal.type("3")
    terminal.see(r"name:second OR name:third[\s\S]*2 of 3")
    terminal.type("4")
    terminal.see(r"─ gradient norm")
    terminal.type("5")
    terminal.see(r"second · \S+ @\d+[\s\S]*a nation of \[MASK\][\s\S]*1 mask · 4 tokens of 16")
    terminal.type("6")
    terminal.see(r"datasets")
    leave(terminal)
    assert remembered("data")["entry"] == kept
    assert len(all_runs(runs_path)) == 3
