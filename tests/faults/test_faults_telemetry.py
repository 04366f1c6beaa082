"""The quick form of promise 13: a driver that is missing, hangs or lies never stops the dashboard."""

from pathlib import Path

from tests.faults.figures import table
from tests.faults.harness_telemetry import measure


def test_no_driver_stops_the_dashboard_or_passes_for_figures(tmp_path: Path) -> None:
    figures = measure(tmp_path, "quick")
    assert {figure.is_control for figure in figures} == {True, False}
    assert all(figure.is_as_promised for figure in figures), table(figures)
