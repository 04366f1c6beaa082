"""Runs in a real terminal: the queue's order, columns of choice, headings, a run cloned with a field changed."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from runs.processes import this_host
from runs.queue_entry import QueueEntry, owner_of, write_entry
from runs.queue_order import in_order
from tests.conftest import ROOT, wait_until
from tests.e2e.tmux import Terminal
from tests.run_writer import Supervision, finished_run, new_run


def in_queue(runs: Path, name: str, order: int) -> Supervision:
    """A run that waits; what holds its lock is this process."""
    folder = new_run(runs, name)
    supervision = Supervision(folder, attempt=0)
    write_entry(folder, QueueEntry(float(order + 1), time.time(), this_host(), owner=owner_of(folder)))
    supervision.state("queued", message="waits for 2 GPUs; both are used by warm-otter")
    return supervision


def test_the_queue_is_reordered_runs_get_columns_and_headings_and_one_is_cloned_with_a_field_changed(
    terminal: Terminal, runs_path: Path
) -> None:
    finished_run(runs_path, "ant", 100)
    supervisions = [in_queue(runs_path, name, order) for order, name in enumerate(("bee", "cat"))]
    terminal.open(f"{sys.executable} -m tui", ROOT)
    terminal.see(r"q Quit")
    terminal.type("3")
    terminal.see(r"queued +bee[\s\S]*queued +cat[\s\S]*ant")

    # the first one that waits makes way, and comes back
    terminal.type("Home", "J")
    terminal.see(r"queued +cat[\s\S]*queued +bee[\s\S]*ant")
    assert [folder.about().name for folder, _ in in_order(runs_path)] == ["cat", "bee"]
    terminal.type("K")
    terminal.see(r"queued +bee[\s\S]*queued +cat[\s\S]*ant")

    # a setting in a column, and headings
    terminal.type("C")
    terminal.see(r"narrows the list")
    before = terminal.settled()
    terminal.type("/")
    wait_until(lambda: terminal.coloured() != before, what="the cursor is in the line")
    terminal.type("=optim.lr")
    terminal.see(r"optim\.lr\b[\s\S]*  optim\.lr ")
    terminal.type("Enter")
    terminal.settled()  # the cursor is in the list
    terminal.type("Space")
    terminal.see(r"13 ✓ optim\.lr")
    terminal.type(*["K"] * 10)
    terminal.see(r" 3 ✓ optim\.lr")
    terminal.type("Enter")
    terminal.see(r"lr[^\n]*\n[\s\S]*ant[^\n]* 0\.001 ")
    terminal.type("g")
    terminal.see(r"Group by")
    terminal.type("=state", "Enter")
    terminal.see(r"▾ queued[\s\S]*bee[\s\S]*▾ finished[\s\S]*ant")

    # the settings of a run, one of them changed
    terminal.type("End", "N")
    terminal.see(r"[Cc]opy of ant[\s\S]*ready to launch")
    terminal.type("/")
    terminal.see(r"\^s Save +\^p palette")  # the key line of a text
    terminal.type("=optim.lr", "Enter")
    terminal.see(r"learning rate optim\.lr")
    terminal.type("C-u", "=0.5")
    terminal.see(r"optim\.lr: 0\.001 → 0\.5")
    terminal.type("Escape")
    terminal.see(r"/ search fields")
    terminal.type("Escape")
    terminal.see(r"H Recent")
    terminal.type("y")
    copied = wait_until(terminal.copied, what="the command")
    assert "train.max_steps=100" in copied and "optim.lr=0.5" in copied
    terminal.type("q")
    terminal.see(r"2 runs go on")
    for supervision in supervisions:
        supervision.close()
