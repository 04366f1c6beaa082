"""Whole runs, with a supervisor, under a disk that is kept full."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

from runs.folder import RunFolder
from runs.rank_marks import read_marks
from runs.records import RecordTail
from runs.status import read_outcome, read_status
from tests.faults.fault_runs import FaultRuns, begun, tiny_endless_run, wait_for
from tests.faults.full_disk import Filler, Report

_FULL_S = 1.5
_TO_ITS_END_S = 30.0
_WAITS = "waiting for room on the disk"


def supervised(report: Report, folder: Path, filler: Filler, *, is_killed: bool, processes: int = 1) -> None:
    """A whole run under a disk that is kept full: its engine goes on, and then is killed, or ends by itself.

    processes: ranks; of several, it is torchrun that is killed.
    """
    report.tries += 1
    problems: list[str] = []
    with FaultRuns(folder, fake=False) as runs:
        fields = tiny_endless_run() | {"train__log_every": 1, "train__checkpoint_every": 50}
        if not is_killed:
            fields["train__max_steps"] = 600
        run = runs.make(processes=processes, **fields)
        runs.start(run)
        pid, attempt = begun(run), run.attempt(1)
        filler.fill(0)
        began, made = step_of(run), 0
        deadline = time.monotonic() + (_FULL_S if is_killed else _TO_ITS_END_S)
        waits = False
        while time.monotonic() < deadline and not waits:
            filler.fill(0)  # also what the reserve gives up
            made = step_of(run) - began
            waits = any(mark.mark.phase == _WAITS for mark in read_marks(attempt))
            time.sleep(0.01)
        report.paused += made > 0
        if not made or not Path(f"/proc/{pid}").exists():
            report.ended += 1
            problems.append("it did not go on")
        report.at_end += waits
        if is_killed:
            os.kill(pid, signal.SIGKILL)
            time.sleep(0.5)
        filler.empty()
        wait_for(
            lambda: read_outcome(attempt) is not None and not read_status(run).is_live, "its outcome is written"
        )
        outcome = read_outcome(attempt)
        assert outcome is not None
        if outcome.state != ("failed" if is_killed else "finished") or "No space" in outcome.reason:
            report.ended += 1
            problems.append(f"{outcome.state}: {outcome.reason}")
        tails = [RecordTail(path) for path in (attempt.metrics_file, attempt.events_file)]
        for tail in tails:
            tail.poll_all()
        report.torn += sum(tail.num_skipped for tail in tails)
    shutil.rmtree(folder)
    report.problems += problems[:1]


def step_of(run: RunFolder) -> int:
    """The step that its engine is at, by its mark."""
    return max((mark.mark.step for mark in read_marks(run.attempt(1))), default=0)
