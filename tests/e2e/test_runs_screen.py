"""Runs in a real terminal: find, delete, take back and delete for good, and fork a run that then really trains."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from runs.events import AttemptStarted, decode_event
from runs.folder import all_runs
from runs.records import RecordTail
from runs.status import read_status
from runs.trash import TRASH
from tests.conftest import ROOT, wait_until
from tests.e2e.tmux import Terminal
from tests.run_writer import finished_run
from tests.tiny import new_run, tiny_config, train

_DASHBOARD = f"{sys.executable} -m tui"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_runs_are_found_deleted_together_and_taken_back(terminal: Terminal, runs_path: Path) -> None:
    for name, steps in (("ant", 100), ("bee", 200), ("cat", 300)):
        finished_run(runs_path, name, steps)
    terminal.open(_DASHBOARD, ROOT)
    terminal.see(r"q Quit")
    terminal.type("3")
    for name in ("ant", "bee", "cat"):
        terminal.see(rf"{name} +quickstart")
    terminal.type("/")
    terminal.see(r"words, state:running")
    terminal.type("=step<=200 los<6")
    terminal.see(r"\^ there is no field 'los'; did you mean loss\?")
    terminal.type("BSpace", "BSpace", "BSpace", "BSpace", "BSpace", "Enter")
    terminal.see(r"2 of 3")
    terminal.type("C-a", "d")
    terminal.see(r"Delete 2 runs\?[\s\S]*ctrl\+z takes them back")
    terminal.type("y")
    wait_until(lambda: len(all_runs(runs_path)) == 1, what="two runs are in the trash")
    terminal.type("q")
    terminal.see(r"ended with 0")
    terminal.close()
    terminal.open(_DASHBOARD, ROOT)  # where one left off, the filter too
    terminal.see(r"step<=200[\s\S]*No run matches")
    terminal.type("C-z")
    terminal.see(r"Deleted runs[\s\S]*deleted [\s\S]*deleted ")
    terminal.type("Enter")
    wait_until(lambda: len(all_runs(runs_path)) == 2, what="one run is back")
    terminal.see(r"1 of 2[\s\S]*trash \d+")
    terminal.type("C-z")
    terminal.see(r"Deleted runs · 1 · ")
    terminal.type("C-e")
    terminal.see(r"Empty the trash\?[\s\S]*Nothing brings it back")
    terminal.type("=empty", "Enter")
    wait_until(lambda: not list((runs_path / TRASH).iterdir()), what="the trash is empty")
    terminal.type("q")
    terminal.see(r"ended with 0")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_fork_trains_on_from_the_checkpoint(terminal: Terminal, runs_path: Path) -> None:
    parent = new_run(runs_path, tiny_config(train__keep_checkpoints=5))
    train(parent)
    terminal.open(_DASHBOARD, ROOT)
    terminal.see(r"q Quit")
    terminal.type("3")
    terminal.see(r"20/20")
    terminal.type("F")
    terminal.see(r"Fork [\s\S]*step 20 [\s\S]*train\.max_steps=40")
    terminal.type("BSpace", "BSpace", "BSpace", "=24 optim.lr=5e-3")
    terminal.see(r"optim\.lr: 0\.01 → 0\.005[\s\S]*train\.max_steps: 20 → 24")
    terminal.type("Enter")
    (new,) = wait_until(lambda: [f for f in all_runs(runs_path) if f != parent], 60, "the fork's folder")
    wait_until(lambda: read_status(new).state == "finished", 120, "the fork is trained")
    events = [decode_event(record) for record in RecordTail(new.attempts()[0].events_file).poll_all()]
    started = next(event for event in events if isinstance(event, AttemptStarted))
    assert (started.step, started.resumed_from) == (20, "step-00000020")
    outcome = read_status(new).outcome
    assert outcome is not None and outcome.step == 24
    terminal.type("q")
    terminal.see(r"ended with 0")
