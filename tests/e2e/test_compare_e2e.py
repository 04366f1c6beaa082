"""Compare and the report through a real terminal: from marks in Runs to curves, settings, figures and a file."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.conftest import ROOT, wait_until
from tests.e2e.tmux import Terminal
from tests.run_writer import two_runs


def test_marked_runs_are_compared_and_a_report_of_one_is_written(
    terminal: Terminal, runs_path: Path, tmp_path: Path
) -> None:
    first, second = two_runs(runs_path)
    terminal.open(f"env PYTHONPATH={ROOT} {sys.executable} -m tui", tmp_path)
    terminal.see("quickstart")
    terminal.type("3")
    terminal.see(r"small-lr[\s\S]*warm-otter|warm-otter[\s\S]*small-lr")
    terminal.type("C-a", "c")
    terminal.see(r"Settings, 2 differ")
    terminal.see(r"val loss, best \(nats\) +.*★")
    terminal.see(r"[AB] small-lr +✓ finished")
    terminal.type("Tab", "Tab", "Tab")
    terminal.see(r"optim\.lr +\S+ +\S+")
    terminal.type("g")
    terminal.see("Metric of the curves")
    terminal.type("=accuracy", "Enter")
    terminal.see(r"─ accuracy ─")
    terminal.resize(80, 24)
    terminal.see(r"Curves\s+Runs\s+Figures\s+Settings\s+Probes")
    terminal.type("W")
    terminal.see("report written")
    wait_until(lambda: any((tmp_path / f"{one.id}.html").exists() for one in (first, second)), 30.0)
    page = next(tmp_path.glob("*.html")).read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and page.rstrip().endswith("</html>")
    terminal.type("q")
    terminal.see("ended with 0")
