"""Which rank and what failed, from every kind of evidence, also when it contradicts itself."""

from __future__ import annotations

import signal
from pathlib import Path

import msgspec
import pytest

from presets.schema import RunConfig
from runs.cause_words import cause_of_report, cause_of_returncode
from runs.error_report import Cause, ErrorReport
from runs.folder import Attempt, RunFolder, create_run
from runs.log_tail import last_sentence, last_words
from runs.oom_killer import oom_kills
from runs.outcome import Ending, conclude, read_failure, settle
from runs.processes import ProcessIdentity, this_process
from runs.rank_marks import Mark, RankProcess, mark_file, process_file
from runs.reader import RunReader
from runs.records import RecordWriter
from runs.root_cause import root_cause, vanished_cause
from runs.status import Outcome, StateRecord, read_outcome, read_status, tag_prefix

GONE = "[gloo/transport/tcp/pair.cc:537] Read error [127.0.0.1]:1: Connection reset by peer"
LATE = "[gloo/transport/tcp/unbound_buffer.cc:81] Timed out waiting 600000ms for recv operation to complete"


@pytest.fixture
def folder(runs_path: Path) -> RunFolder:
    return create_run(runs_path, RunConfig())


@pytest.fixture
def attempt(folder: RunFolder) -> Attempt:
    attempt = folder.attempt(1)
    attempt.ranks_dir.mkdir(parents=True)
    attempt.console_file.touch()
    return attempt


def report(attempt: Attempt, rank: int, exception: str, message: str, at: int) -> None:
    words = ErrorReport(rank, exception, message, "Traceback …", time=at, monotonic_ns=at * 10**9)
    (attempt.ranks_dir / f"error-{rank}.json").write_bytes(msgspec.json.encode(words))


def verdict(attempt: Attempt, *failures: tuple[int, int]) -> None:
    """torchrun's table: rank and exit code, the one that it takes for the first at the front."""
    blocks = [
        f"[{n}]:\n  time      : 2026-11-22_05:00:00\n  host      : box\n"
        f"  rank      : {rank} (local_rank: {rank})\n  exitcode  : {code} (pid: 47)\n  error_file: <N/A>"
        for n, (rank, code) in enumerate(failures)
    ]
    others = "\n".join(blocks[1:]) or "  <NO_OTHER_FAILURES>"
    verdict = f"Root Cause (first observed failure):\n{blocks[0]}\n====="
    attempt.console_file.write_text(f"engine FAILED\n-----\nFailures:\n{others}\n-----\n{verdict}")


def mark(
    attempt: Attempt,
    rank: int,
    collectives: int,
    waits: bool,
    process: ProcessIdentity | None = None,
    oom: dict[str, int] | None = None,
) -> None:
    mark_file(attempt, rank).write_bytes(msgspec.json.encode(Mark(120, "in training", collectives, waits, 100.0)))
    about = RankProcess(process or this_process(), rank, 3, 600.0, oom or {})
    process_file(attempt, rank).write_bytes(msgspec.json.encode(about))


def log(attempt: Attempt, rank: int, text: str) -> None:
    path = attempt.ranks_dir / "none_x" / "attempt_0" / str(rank) / "stderr.log"
    path.parent.mkdir(parents=True)
    path.write_text(text)


def test_a_dead_rank_is_found_though_torchrun_takes_one_that_missed_it_for_the_first(attempt: Attempt) -> None:
    report(attempt, 0, "RuntimeError", GONE, 20)
    verdict(attempt, (0, 1), (1, 1), (2, -11))
    report(attempt, 1, "RuntimeError", GONE, 21)
    mark(attempt, 2, 8, False)
    cause = root_cause(attempt, 1)
    assert cause.sentence == "rank 2 was killed by signal 11 at step 120 (in training): a crash in native code"
    assert (cause.report.rank, cause.report.cause, cause.report.step) == (2, "crash", 120)


def test_native_code_that_gives_up_after_an_exception_does_not_hide_it(attempt: Attempt) -> None:
    report(attempt, 1, "ValueError", "row 4711", 10)
    verdict(attempt, (0, -6), (1, 1))
    assert root_cause(attempt, 1).sentence == "rank 1: ValueError: row 4711"


@pytest.mark.parametrize("code", [-15, -9, -11])
def test_a_rank_that_torchrun_ended_or_that_died_on_leaving_is_not_the_cause(attempt: Attempt, code: int) -> None:
    report(attempt, 1, "ModuleNotFoundError", "No module named 'x'", 10)
    verdict(attempt, (0, code), (1, 1))
    assert root_cause(attempt, 1).sentence == "rank 1: ModuleNotFoundError: No module named 'x'"


def test_a_complaint_of_collectives_in_unknown_words_does_not_hide_a_dead_rank(attempt: Attempt) -> None:
    traceback = 'File "/x/torch/distributed/distributed_c10d.py", line 2, in all_reduce'
    words = ErrorReport(0, "RuntimeError", "the pigeon is late", traceback, time=5, monotonic_ns=5)
    (attempt.ranks_dir / "error-0.json").write_bytes(msgspec.json.encode(words))
    assert root_cause(attempt, 1).sentence == "RuntimeError: the pigeon is late", "better than nothing"
    verdict(attempt, (0, 1), (1, -9))
    assert root_cause(attempt, 1).sentence.startswith("rank 1 was killed by signal 9")


def test_a_rank_that_somebody_terminated_is_named_when_nothing_else_is_known(attempt: Attempt) -> None:
    verdict(attempt, (1, -15))
    assert root_cause(attempt, 1).sentence.startswith("rank 1 was killed by signal 15")


def test_a_rank_that_exits_in_native_code_comes_before_those_that_missed_it(attempt: Attempt) -> None:
    report(attempt, 0, "RuntimeError", GONE, 20)
    verdict(attempt, (0, 1), (1, 3))
    log(attempt, 1, 'libfoo: licence expired\n14:49:45 step 5 {"kind": "probed"}\n==========\n')
    cause = root_cause(attempt, 1)
    assert cause.sentence == "rank 1 ended with exit code 3; its last words: libfoo: licence expired"


def test_a_rank_that_ends_as_if_it_were_done_is_named(attempt: Attempt) -> None:
    for rank in (0, 1):
        report(attempt, rank, "RuntimeError", GONE, 20 + rank)
        mark(attempt, rank, 9, True)
    mark(attempt, 2, 8, False)
    verdict(attempt, (0, 1), (1, 1))
    cause = root_cause(attempt, 1)
    assert cause.sentence.startswith("rank 2 ended with exit code 0 at step 120 (in training), though the run was")
    assert (cause.report.rank, cause.report.cause) == (2, "error")


def test_a_rank_that_nobody_saw_dying_is_told_by_its_mark(attempt: Attempt) -> None:
    for rank in (0, 1):
        report(attempt, rank, "RuntimeError", GONE, 20 + rank)
        mark(attempt, rank, 9, True)
    mark(attempt, 2, 8, False)
    cause = root_cause(attempt, None)
    assert cause.sentence.startswith("rank 2 disappeared without a word at step 120")
    assert (cause.report.rank, cause.report.cause) == (2, "killed")


def test_a_rank_for_which_the_others_waited_in_vain_hangs(attempt: Attempt) -> None:
    for rank in (0, 1):
        report(attempt, rank, "RuntimeError", LATE, 20 + rank)
        mark(attempt, rank, 9, True)
    mark(attempt, 2, 8, False)
    log(attempt, 2, "Current thread 0x1 (most recent call first):\n  File 'x.py', line 7 in spin\n")
    verdict(attempt, (0, 1), (2, -9))  # we ended it, since the others had given it up
    cause = root_cause(attempt, 1)
    assert cause.sentence.startswith("rank 2 has not moved since step 120 (in training")
    assert (cause.report.rank, cause.report.cause) == (2, "hang")
    assert "in spin" in cause.report.traceback and "collective_timeout" in cause.report.hint


def test_a_rank_that_nccl_ended_for_waiting_too_long_is_not_the_one_that_hangs(attempt: Attempt) -> None:
    mark(attempt, 0, 9, True)
    mark(attempt, 1, 8, False)
    mark(attempt, 2, 9, True)
    verdict(attempt, (0, -6), (2, -6))
    for rank in (0, 2):
        log(attempt, rank, "[PG 0] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=9)\n")
    cause = root_cause(attempt, 1)
    assert cause.sentence.startswith("rank 1 has not moved since step 120")
    assert (cause.report.rank, cause.report.cause) == (1, "hang")


def test_late_ranks_without_marks_are_at_least_told_as_a_hang(attempt: Attempt) -> None:
    report(attempt, 1, "RuntimeError", LATE, 20)
    cause = root_cause(attempt, 1)
    assert (cause.sentence, cause.report.cause) == ("rank 1 waited for the others in vain", "hang")


def test_a_process_that_runs_alone_waits_for_no_other_rank(attempt: Attempt) -> None:
    report(attempt, 0, "RuntimeError", "the download timed out after 30 s", 20)
    mark_file(attempt, 0).write_bytes(msgspec.json.encode(Mark(0, "preparing", 0, False, 1.0)))
    assert root_cause(attempt, 1).sentence == "RuntimeError: the download timed out after 30 s"


def test_ranks_that_say_the_same_are_named_together(attempt: Attempt) -> None:
    for rank in (1, 2):
        report(attempt, rank, "ValueError", "row 4711", 10 + rank)
    for rank in range(3):
        mark(attempt, rank, 3, False)
    assert root_cause(attempt, 1).sentence == "ranks 1 and 2: ValueError: row 4711"
    report(attempt, 0, "ValueError", "row 4711", 30)
    assert root_cause(attempt, 1).sentence == "all 3 ranks: ValueError: row 4711"


def test_a_crash_that_nobody_saw_is_read_in_the_log(attempt: Attempt) -> None:
    log(attempt, 1, "Fatal Python error: Segmentation fault\n\nCurrent thread 0x1:\n  File 'x.py', line 7 in f\n")
    log(attempt, 0, "all is well\n")
    report(attempt, 0, "RuntimeError", GONE, 20)
    cause = vanished_cause(attempt)
    assert cause.sentence == "rank 1 was killed by signal 11: a crash in native code"
    assert (cause.report.cause, cause.report.exception) == ("crash", "SIGSEGV")


def test_the_killer_is_named_as_far_as_the_kernel_says(attempt: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    def said(returncode: int = -9) -> tuple[str, Cause]:
        cause = root_cause(attempt, returncode)
        return cause.sentence.partition("): ")[2], cause.report.cause

    counted = oom_kills()
    assert counted, "this machine counts"
    mark(attempt, 0, 0, False, oom=counted)
    assert said() == ("somebody's kill -9; it was not the kernel's out-of-memory killer", "killed")
    mark(attempt, 0, 0, False, oom=dict.fromkeys(counted, 10**6) | {"machine": counted["machine"] - 1})
    assert said()[0].startswith("most likely the kernel's out-of-memory killer") and said()[1] == "out of memory"
    elsewhere = msgspec.structs.replace(this_process(), boot_id="an earlier boot")
    mark(attempt, 0, 0, False, elsewhere, oom={name: count - 1 for name, count in counted.items()})
    assert said()[0].startswith("usually the kernel's out-of-memory killer, or") and said()[1] == "killed"


@pytest.mark.parametrize(
    ("exception", "message", "cause"),
    [
        ("OutOfMemoryError", "CUDA out of memory. Tried to allocate", "out of memory"),
        ("OutOfMemory", "memory runs out with a single sequence", "out of memory"),
        ("RuntimeError", "DefaultCPUAllocator: can't allocate memory: you tried", "out of memory"),
        ("OSError", "[Errno 12] Cannot allocate memory", "out of memory"),
        ("OSError", "[Errno 28] No space left on device: '/runs'", "disk full"),
        ("ModuleNotFoundError", "No module named 'tokenizers'", "import"),
        ("OSError", "libcudart.so.12: cannot open shared object file: No such file", "import"),
        ("DataError", "no column 'text'", "data"),
        ("CheckpointError", "last: model.safetensors was altered", "data"),
        ("RuntimeError", LATE, "hang"),
        ("TrainingDiverged", "the last 50 updates had no finite gradient", "error"),
        ("SystemExit", "3", "error"),
    ],
)
def test_every_kind_of_exception_has_its_word(exception: str, message: str, cause: Cause) -> None:
    assert cause_of_report(ErrorReport(0, exception, message, "", 0, 0)) == cause


@pytest.mark.parametrize(
    ("code", "cause"),
    [(-signal.SIGKILL, "killed"), (-signal.SIGTERM, "killed"), (-signal.SIGBUS, "crash"), (3, "error"),
     (None, "killed"), (-63, "killed")],
)  # fmt: skip
def test_every_kind_of_end_has_its_word(code: int | None, cause: Cause) -> None:
    assert cause_of_returncode(code) == cause


def test_last_words_are_neither_events_nor_borders(attempt: Attempt) -> None:
    event = '14:49:45 step 5 {"kind": "probed"}'
    attempt.console_file.write_text(f"oh no\n{event}\n{'=' * 60}\n{event}\n")
    assert last_words(attempt) == ["oh no", "=" * 60]
    assert last_sentence(last_words(attempt)) == "oh no"
    log(attempt, 1, f"{event}\nrank 1 says\n{event}\n")
    assert last_words(attempt, 1) == ["rank 1 says"]
    assert last_sentence(["-" * 60]) == ""


def test_what_nobody_saw_is_known_on_reading_and_written_before_the_run_goes_on(
    folder: RunFolder, attempt: Attempt
) -> None:
    metrics = RecordWriter(attempt.metrics_file)
    metrics.write({"step": 7, "elapsed_s": 12.5, "time": 100.0})
    metrics.close()
    report(attempt, 0, "MemoryError", "", 10)
    status, error = read_status(folder), RunReader(folder).poll().error
    assert (status.state, status.reason) == ("failed", "MemoryError")
    assert error is not None and error.cause == "out of memory"
    assert not attempt.outcome_file.exists() and not attempt.error_file.exists(), "reading writes nothing"
    settle(folder, attempt)
    outcome = read_outcome(attempt)
    assert outcome is not None and (outcome.state, outcome.reason) == ("failed", "MemoryError")
    assert (outcome.step, outcome.elapsed_s) == (7, 12.5)
    assert outcome.ended == pytest.approx(attempt.metrics_file.stat().st_mtime, abs=5)
    assert read_failure(folder, attempt) == error
    other = msgspec.structs.replace(outcome, reason="as it was")
    attempt.outcome_file.write_bytes(msgspec.json.encode(other))
    settle(folder, attempt)
    assert read_outcome(attempt) == other


def test_a_restart_of_the_machine_is_told_from_a_kill(folder: RunFolder, attempt: Attempt) -> None:
    mark(attempt, 0, 0, False)
    assert read_status(folder).reason.startswith("supervisor and engine disappeared without a word at step 120")
    earlier = msgspec.structs.replace(this_process(), boot_id="an earlier boot")
    state = StateRecord("running", 1, f"{tag_prefix(folder)}x", earlier)
    folder.state_file.write_bytes(msgspec.json.encode(state))
    assert read_status(folder).reason == (
        "the machine was switched off or restarted while it ran at step 120 (in training)"
    )
    error = RunReader(folder).poll().error
    assert error is not None and (error.cause, error.step) == ("killed", 120)


def test_a_kill_of_a_run_that_stands_still_says_who_stood(folder: RunFolder, attempt: Attempt) -> None:
    mark(attempt, 0, 9, True)
    mark(attempt, 1, 8, False)
    mark(attempt, 2, 9, True)
    outcome = conclude(folder, attempt, Ending(-9, wanted="kill", killed=100.0 + 60))
    assert outcome.state == "stopped"
    assert outcome.reason.startswith(
        "killed; steps 1 to 120 have to be trained again; rank 1 has not moved since step 120"
    )
    attempt.outcome_file.unlink()
    said = conclude(folder, attempt, Ending(-9, wanted="kill", killed=100.0 + 5)).reason
    assert said == "killed; steps 1 to 120 have to be trained again", "5 s are no standing still"


def test_a_run_that_said_how_it_ended_is_not_searched_for_causes(folder: RunFolder, attempt: Attempt) -> None:
    outcome = Outcome("failed", "as it said", 5, 10)
    attempt.outcome_file.write_bytes(msgspec.json.encode(outcome))
    report(attempt, 0, "MemoryError", "", 10)
    assert read_failure(folder, attempt) is None
    assert read_status(folder).reason == "as it said"
