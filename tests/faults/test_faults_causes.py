"""Seeded failures of the real engine have the right rank and cause on the first line; without evidence not."""

from __future__ import annotations

from pathlib import Path

from tests.faults import harness_causes
from tests.faults.figures import table


def test_seeded_failures_are_named_right_and_a_build_without_evidence_names_them_wrong(tmp_path: Path) -> None:
    figures = harness_causes.measure(tmp_path / "faults", "quick")
    assert [figure.tried for figure in figures] == [2, 1]
    assert all(figure.is_as_promised for figure in figures), f"\n{table(figures)}"


def test_the_long_form_covers_what_promise_12_names() -> None:
    assert len(harness_causes.LONG) >= 20
    causes = {case.cause for case in harness_causes.LONG}
    assert causes == {"out of memory", "killed", "crash", "disk full", "hang", "import", "data", "error"}
    assert {case.at for case in harness_causes.LONG} >= {"import", "prepare", "step", "save", "evaluation", "data"}


def test_a_run_that_does_not_fail_is_not_taken_for_one_that_was_named_right(tmp_path: Path) -> None:
    """ "All named right" must not come from nothing having happened."""
    case = harness_causes.Case(
        "value error", "error", ("ValueError",), step=10_000_000, config={"train__max_steps": 5}
    )
    with harness_causes._surroundings(tmp_path / "faults"):
        (wrong,) = harness_causes._try_all(tmp_path / "faults", [case], broken=False)
    assert "finished: all steps done" in wrong
