"""The quick form of promises 4 and 5: a long run opens at once, and a dashboard that stands still slows none."""

from pathlib import Path

from tests.faults.figures import table
from tests.faults.harness_speed import measure


def test_long_runs_open_and_the_dashboard_slows_nothing(tmp_path: Path) -> None:
    figures = measure(tmp_path, "quick")
    assert {(figure.promise, figure.is_control) for figure in figures} == {
        (4, False), (4, True), (5, False), (5, True),
    }  # fmt: skip
    assert all(figure.is_as_promised for figure in figures), table(figures)
