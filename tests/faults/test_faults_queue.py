"""The quick form of harness_queue: shot supervisors lose no run, double none, and give no device twice."""

from __future__ import annotations

from pathlib import Path

from tests.faults.figures import table
from tests.faults.harness_queue import measure


def test_a_queue_under_fire_loses_and_doubles_no_run_and_its_controls_do(tmp_path: Path) -> None:
    figures = measure(tmp_path, "quick")
    assert all(figure.is_as_promised for figure in figures), f"\n{table(figures)}"
    queued, direct = figures[0], figures[3]
    assert (queued.tried, direct.tried) == (8, 4), "all were acknowledged, so that none is missing from the count"
    assert int(queued.detail.split()[0]) >= 4, f"hardly a supervisor was shot: {queued.detail}"
