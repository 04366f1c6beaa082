"""A fork is shown from where it began: its axes, its mark, and what it says before it is probed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from presets import config as configs
from presets.schema import RunConfig
from runs.folder import create_run
from runs.reader import RunReader, RunSnapshot
from runs.status import RunStatus
from tests.run_writer import AttemptWriter
from tui.compare_curves import WantedCurves
from tui.compare_curves import spec_of as compared_spec
from tui.probe_words import why_no_probes
from tui.report.document import report_page
from tui.run_charts import CHARTS, marks_of, spec_of


def run_from(runs: Path, step: int, forked_from: str, every: int = 500) -> RunSnapshot:
    """A run whose only attempt went on from that step."""
    config = configs.with_values(RunConfig(), {"train.max_steps": 1400, "probes.every": every})
    folder = create_run(runs, config, name="branch")
    folder.write_about(msgspec.structs.replace(folder.about(), forked_from=forked_from))
    writer = AttemptWriter(folder)
    writer.start(step, 1400)
    for at in range(step + 10, step + 60, 10):
        writer.train(at, 0.5)
    return RunReader(folder).poll()


def test_the_charts_of_a_fork_begin_at_its_checkpoint(runs_path: Path) -> None:
    fork, resumed = run_from(runs_path, 1200, "parent@step-00001200"), run_from(runs_path, 300, "")
    assert fork.first_step == 1200 and resumed.first_step == 0
    assert [mark.words for mark in marks_of(fork)] == ["forked"]
    assert [mark.words for mark in marks_of(resumed)] == ["resumed"]
    assert spec_of(CHARTS[0], fork).first_step == 1200
    assert compared_spec((fork, fork), WantedCurves()).first_step == 1200
    assert compared_spec((fork, resumed), WantedCurves()).first_step == 0


def test_the_report_of_a_fork_begins_at_its_checkpoint(runs_path: Path) -> None:
    page = report_page(run_from(runs_path, 1200, "parent@step-00001200"), None)
    picture = page.partition("<svg")[2].partition("</figure>")[0]
    assert ">1200<" in picture or ">1.2k<" in picture
    assert ">0<" not in picture, "nothing of it lies before its checkpoint"
    assert "step 1,200: forked" in picture


@pytest.mark.parametrize(("every", "step"), [(500, "1,400"), (100, "1,300")])
def test_a_fork_says_when_its_first_probes_come(runs_path: Path, every: int, step: str) -> None:
    fork = run_from(runs_path, 1200, "parent@step-00001200", every)
    assert why_no_probes(fork) == "it was not probed"
    live = replace(fork, status=RunStatus("running"))
    assert why_no_probes(live) == f"the next probes come at step {step}; b probes now"
    assert why_no_probes(replace(live, splices=())) == "the first probes come before the first step"
