"""The quick form of `harness_disk`: promise 8 holds, and a broken build is caught."""

from __future__ import annotations

from pathlib import Path

from tests.faults.figures import table
from tests.faults.harness_disk import measure


def test_a_full_disk_ends_no_training_tears_no_file_and_is_recovered_from(tmp_path: Path) -> None:
    figures = measure(tmp_path, "quick")
    assert any(figure.is_control for figure in figures)
    assert all(figure.is_as_promised for figure in figures), table(figures)
