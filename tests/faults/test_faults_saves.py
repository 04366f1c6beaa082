"""The quick form of `harness_saves`: promises 1 and 2 hold, and broken builds are caught."""

from __future__ import annotations

from pathlib import Path

from tests.faults.figures import table
from tests.faults.harness_saves import measure


def test_kills_lose_no_record_and_no_checkpoint_and_damage_is_never_loaded_unseen(tmp_path: Path) -> None:
    figures = measure(tmp_path, "quick")
    assert {figure.promise for figure in figures if figure.is_control} == {1, 2}
    assert all(figure.is_as_promised for figure in figures), table(figures)
