"""The Playground in a real terminal, with a real process: ask, fill in, compare, lose the process, come back."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, pids_with, wait_until
from tests.e2e.tmux import Terminal
from tests.tiny import new_run, tiny_config, train


def model_pids(runs: Path) -> list[int]:
    """The models' processes of dashboards that look at these runs."""
    found = []
    for pid in pids_with("TINYTRAIN_RUNS", str(runs)):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if b"engine.playground" in words:
            found.append(pid)
    return found


@pytest.fixture
def two_runs(runs_path: Path) -> Path:
    for name in ("first", "second"):
        run = new_run(runs_path, tiny_config(train__max_steps=10))
        train(run)
        run.write_about(run.about().__class__(name=name))
    return runs_path


def test_a_person_asks_fills_in_compares_and_comes_back(terminal: Terminal, two_runs: Path) -> None:
    dashboard = f"{sys.executable} -m tui"
    terminal.open(f"{dashboard}; {dashboard}", ROOT)
    terminal.see(r"Launch")
    terminal.type("5")
    terminal.see(r"(first|second) · last @10 · loss [\s\S]*1 mask · 5 tokens of 16")
    terminal.type("e", "C-u")
    terminal.see(r"a text with \[MASK\], or a beginning")
    terminal.type("=the people qwxyz", "C-o")
    terminal.see(r"the people \[MASK\][\s\S]*1 mask · 3 tokens of 16 · 0 unknown")
    terminal.type("Enter")
    terminal.see(r"│ ▸ \S+ ")  # the cursor is in the words now
    terminal.type("Enter")
    terminal.see(r"│ the people (?!\[MASK\])\S+ ")
    terminal.type("C-z")
    terminal.see(r"│ the people \[MASK\]")

    # a second checkpoint beside the first, and the map of a head
    terminal.type("c")
    terminal.see(r"none: one checkpoint alone[\s\S]*@5 ")
    terminal.type("End", "Enter")
    terminal.see(r"against \w+ · last @10")
    terminal.type("w")
    terminal.see(r"layer 1/2 · head 1/2")

    # somebody ends the process of the models: that is said, and another one answers
    (pid,) = model_pids(two_runs)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: [one for one in model_pids(two_runs) if one != pid], 30.0, "another process starts")
    terminal.type("w")
    terminal.see(r"Neighbours of \S+")

    # what was on the screen is there again after the next start, in less room too
    before = set(model_pids(two_runs))
    terminal.type("q")
    wait_until(lambda: not before & set(model_pids(two_runs)), 30.0, "the first dashboard ends")
    terminal.resize(80, 24)
    terminal.see(r"q Quit")
    terminal.type("5")
    terminal.see(r"against \w+ · last @10[\s\S]*the people \[MASK\][\s\S]*Neighbours of \S+")
    assert len(model_pids(two_runs)) == 1

    # a dashboard that is killed takes the process of the models with it
    for pid in set(pids_with("TINYTRAIN_RUNS", str(two_runs))) - set(model_pids(two_runs)):
        if b"\0tui\0" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not model_pids(two_runs), 10.0, "the models' process ends")
