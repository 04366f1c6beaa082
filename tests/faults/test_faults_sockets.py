"""What a run of one process listens on, and an engine that listens: the quick form."""

from __future__ import annotations

from pathlib import Path

from tests.faults.figures import table
from tests.faults.harness_sockets import measure


def test_a_run_of_one_process_opens_no_port_to_the_network(tmp_path: Path) -> None:
    figures = measure(tmp_path, "quick")
    assert [figure.is_control for figure in figures] == [False, True]
    assert all(figure.is_as_promised for figure in figures), f"\n{table(figures)}"
