"""Terminals, dashboards and supervisors that go away, ends by force, and forged records: the quick form."""

from __future__ import annotations

from pathlib import Path

from tests.faults.figures import table
from tests.faults.harness_processes import measure


def test_runs_survive_end_wholly_and_hit_no_stranger(tmp_path: Path) -> None:
    figures = measure(tmp_path, "quick")
    assert {(figure.promise, figure.is_control) for figure in figures} == {
        (promise, is_control) for promise in (3, 6, 7) for is_control in (False, True)
    }
    assert all(figure.is_as_promised for figure in figures), f"\n{table(figures)}"
