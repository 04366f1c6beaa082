"""A sweep in a real terminal: choose fields, queue the runs, watch the table fill, open the best; and headless."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

from presets.catalog import save_preset
from runs.folder import all_runs
from runs.status import read_status
from tests.conftest import ROOT, wait_until
from tests.e2e.tmux import Terminal
from tests.tiny import tiny_config


def test_a_person_sweeps_a_rate_and_opens_the_best_run(
    terminal: Terminal, tmp_path: Path, runs_path: Path
) -> None:
    save_preset("tiny", tiny_config(train__max_steps=10), "for this test")
    terminal.open(shlex.join([sys.executable, "-m", "tui"]), ROOT)
    terminal.see(r"quickstart[\s\S]*ready to launch")
    terminal.type("End")
    terminal.see(r"for this test")
    terminal.type("S")
    terminal.see(r"Sweep over tiny")
    terminal.type(*"1e-3,3e-2")
    terminal.see(r"2 runs of about[\s\S]*Queue 2 runs")
    terminal.type("C-g")
    terminal.see(r"Sweep tiny-\w{4}[\s\S]*all 2 done; best \d+\.\d+ with lr 0\.03")
    terminal.see(r"★ 1 .*0\.03 +✓ finished")
    terminal.type("Enter")
    terminal.see(r"finished +.*lr=0\.03")
    terminal.type("q")
    wait_until(lambda: not any(read_status(folder).is_live for folder in all_runs(runs_path)))

    shown = subprocess.run(
        [sys.executable, "-m", "tui", "sweep", "show", "last", "--json"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    table = json.loads(shown.stdout)
    assert [run["values"] for run in table["runs"]] == [{"optim.lr": 0.03}, {"optim.lr": 0.001}]
    assert all(run["state"] == "finished" for run in table["runs"])
