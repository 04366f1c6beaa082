"""Promise 10 in its quick form."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.figures import table
from tests.faults.harness_files import measure


@pytest.mark.slow
def test_opening_somebodys_run_executes_nothing_and_reaches_nothing_outside(tmp_path: Path) -> None:
    figures = measure(tmp_path, "quick")
    assert {figure.is_control for figure in figures} == {True, False}
    assert all(figure.is_as_promised for figure in figures), table(figures)
