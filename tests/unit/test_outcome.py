"""Root causes and outcomes pieced together from what is left of an attempt."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import msgspec
import pytest

from presets.schema import RunConfig
from runs.cause_words import describe_returncode, hint_for
from runs.folder import Attempt, RunFolder, create_run
from runs.log_tail import last_words
from runs.outcome import Ending, conclude, read_figures
from runs.rank_marks import Mark, mark_file
from runs.records import RecordWriter
from runs.root_cause import root_cause
from runs.status import ErrorReport, Outcome

VERDICT = """
============================================================
engine FAILED
------------------------------------------------------------
Failures:
  <NO_OTHER_FAILURES>
------------------------------------------------------------
Root Cause (first observed failure):
[0]:
  time      : 2026-11-22_05:00:00
  host      : box
  rank      : 3 (local_rank: 3)
  exitcode  : {code} (pid: 4711)
  error_file: <N/A>
  traceback : Signal
============================================================
"""


@pytest.fixture
def folder(runs_path: Path) -> RunFolder:
    return create_run(runs_path, RunConfig())


@pytest.fixture
def attempt(folder: RunFolder) -> Attempt:
    attempt = folder.attempt(1)
    attempt.ranks_dir.mkdir(parents=True)
    return attempt


def report(attempt: Attempt, rank: int, exception: str, message: str, at: int) -> None:
    words = ErrorReport(rank, exception, message, "Traceback …", time=at, monotonic_ns=at * 10**9)
    (attempt.ranks_dir / f"error-{rank}.json").write_bytes(msgspec.json.encode(words))


def test_the_earliest_rank_is_blamed(attempt: Attempt) -> None:
    report(attempt, 0, "RuntimeError", "Connection closed by peer", 20)
    report(attempt, 2, "ValueError", "bad row\nmore", 10)
    (attempt.ranks_dir / "error-1.json").write_bytes(b'{"rank": 1')
    cause = root_cause(attempt, 1)
    assert cause.sentence == "rank 2: ValueError: bad row"
    assert cause.is_certain


def test_a_rank_that_died_of_a_signal_comes_before_those_that_missed_it(attempt: Attempt) -> None:
    report(attempt, 0, "RuntimeError", "Connection closed by peer", 20)
    attempt.console_file.write_text(VERDICT.format(code=-9))
    assert root_cause(attempt, 1).sentence.startswith("rank 3 was killed by signal 9: usually the kernel's out")


def test_a_rank_that_exits_without_a_report_is_quoted(attempt: Attempt) -> None:
    attempt.console_file.write_text(VERDICT.format(code=7))
    log = attempt.ranks_dir / "none_x" / "attempt_0" / "3" / "stderr.log"
    log.parent.mkdir(parents=True)
    log.write_text("10%\r20%\r30%\nImportError: no such thing\n")
    assert (
        root_cause(attempt, 1).sentence
        == "rank 3 ended with exit code 7; its last words: ImportError: no such thing"
    )
    assert last_words(attempt, 3)[-2:] == ["30%", "ImportError: no such thing"]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate", "GPU's memory"),
        ("RuntimeError: [enforce fail] DefaultCPUAllocator: can't allocate memory: you tried", "machine's memory"),
        ("MemoryError", "machine's memory"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
    ],
)
def test_known_troubles_come_with_advice(text: str, word: str) -> None:
    assert word in hint_for(text)


def test_an_unknown_trouble_comes_with_none() -> None:
    assert hint_for("ValueError: 3") == ""


def test_return_codes_are_put_into_words() -> None:
    assert describe_returncode(3) == "ended with exit code 3"
    assert describe_returncode(-signal.SIGSEGV) == "killed by signal 11: a crash in native code"
    assert describe_returncode(-63) == "killed by signal 63: a signal this system has no name for"
    assert "nobody" in describe_returncode(None)


def engine_says(attempt: Attempt, state: str) -> None:
    outcome = Outcome(state, "as asked", 5, 10)  # type: ignore[arg-type]
    attempt.outcome_file.write_bytes(msgspec.json.encode(outcome))


def test_the_engines_own_word_holds_though_torchrun_exits_with_1(folder: RunFolder, attempt: Attempt) -> None:
    engine_says(attempt, "stopped")
    assert conclude(folder, attempt, Ending(returncode=1, wanted="stop")).reason == "as asked"


def test_a_stop_nobody_asked_for_beside_a_dead_rank_is_a_failure(folder: RunFolder, attempt: Attempt) -> None:
    engine_says(attempt, "stopped")
    attempt.console_file.write_text(VERDICT.format(code=-11))
    outcome = conclude(folder, attempt, Ending(returncode=1))
    assert outcome.state == "failed" and outcome.reason.startswith("rank 3 was killed by signal 11")
    assert json.loads(attempt.outcome_file.read_bytes())["state"] == "failed"


def test_a_damaged_outcome_is_not_believed(folder: RunFolder, attempt: Attempt) -> None:
    attempt.outcome_file.write_bytes(b'{"state":"finished"')
    assert conclude(folder, attempt, Ending(returncode=0)).state == "failed"


@pytest.mark.parametrize(
    ("ending", "state", "word"),
    [
        (Ending(returncode=-9, wanted="kill", killed=5.0), "stopped", "killed"),
        (Ending(returncode=-9, wanted="stop", terminated=True, killed=5.0), "stopped", "did not stop by itself"),
        (Ending(returncode=-15, wanted="stop", terminated=True), "stopped", "ended by SIGTERM"),
        (Ending(returncode=0, wanted="stop"), "stopped", "stopped"),
        (Ending(returncode=1, wanted="stop"), "failed", "exit code 1"),
        (Ending(returncode=-9, wanted="stop"), "failed", "signal 9"),
        (Ending(returncode=0), "failed", "exit code 0, and said nothing"),
        (Ending(returncode=None, failure="the engine cannot be started: no"), "failed", "cannot be started"),
    ],
)
def test_an_end_without_a_word_is_told_by_what_was_seen(
    folder: RunFolder, attempt: Attempt, ending: Ending, state: str, word: str
) -> None:
    metrics = RecordWriter(attempt.metrics_file)
    metrics.write({"step": 7})
    metrics.close()
    outcome = conclude(folder, attempt, ending)
    assert outcome.step == 7
    assert outcome.state == state and word in outcome.reason
    assert attempt.error_file.exists() == (state == "failed")


def test_a_kill_says_what_it_cost_and_an_end_that_nothing_is_left_of_it(
    folder: RunFolder, attempt: Attempt
) -> None:
    events, metrics = RecordWriter(attempt.events_file), RecordWriter(attempt.metrics_file)
    events.write({"kind": "attempt_started", "step": 0, "total_steps": 400})
    metrics.write({"step": 10})
    events.write({"kind": "checkpoint_saved", "step": 20})
    metrics.write({"step": 30})
    # records wait on a full disk; the rank's own mark does not
    mark_file(attempt, 0).write_bytes(msgspec.json.encode(Mark(234, "in training", 0, False, 1.0)))
    killed = Ending(returncode=-9, wanted="kill", killed=5.0, proof="no process of it is left")
    outcome = conclude(folder, attempt, killed)
    assert outcome.reason == "killed; steps 21 to 234 have to be trained again"
    assert (outcome.step, outcome.saved_step, outcome.num_lost) == (234, 20, 214)
    assert outcome.proof == "no process of it is left"
    engine_says(attempt, "stopped")
    outcome = conclude(folder, attempt, Ending(returncode=0, wanted="stop", proof="no process of it is left"))
    assert (outcome.reason, outcome.proof, outcome.num_lost) == ("as asked", "no process of it is left", 0)
    outcome = conclude(folder, attempt, Ending(returncode=0, wanted="stop", left="pid 7 is stuck"))
    assert outcome.reason == "as asked; pid 7 is stuck"


def test_a_crash_while_stopping_is_a_failure_but_what_ranks_say_of_our_kill_is_not(
    folder: RunFolder, attempt: Attempt
) -> None:
    report(attempt, 0, "OSError", "No space left on device", 10)
    assert conclude(folder, attempt, Ending(1, wanted="stop", terminated=True)).state == "failed"
    attempt.outcome_file.unlink()
    late = Ending(-9, wanted="stop", terminated=True, killed=5.0)
    assert conclude(folder, attempt, late).state == "stopped"


def test_figures_leave_out_what_a_resume_hides(folder: RunFolder, attempt: Attempt) -> None:
    def record(number: int, started_at: int, losses: dict[int, float]) -> Attempt:
        one = folder.attempt(number)
        one.path.mkdir(parents=True, exist_ok=True)
        events = RecordWriter(one.events_file)
        events.write({"kind": "attempt_started", "step": started_at, "total_steps": 100})
        for step, loss in losses.items():
            events.write({"kind": "evaluated", "step": step, "loss": loss})
        events.close()
        metrics = RecordWriter(one.metrics_file)
        metrics.write({"step": max(losses) + 3, "loss": 1.0})
        metrics.close()
        return one

    record(1, 0, {10: 3.0, 20: 2.0, 30: 0.5})
    second = record(2, 20, {30: 1.5, 40: 1.8})
    figures = read_figures(folder, second)
    assert (figures.best_loss, figures.best_step, figures.last_loss) == (1.5, 30, 1.8)
    assert (figures.step, figures.total_steps) == (43, 100)
