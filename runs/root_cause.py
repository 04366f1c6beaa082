"""Why an attempt failed: the earliest rank's own report, else the signal or exit code and the last words."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path

import msgspec

from runs.folder import Attempt, read_struct
from runs.status import ErrorReport

_LAST_LINES = 30
_LOG_BYTES = 64 << 10
_TORCHRUN_VERDICT = re.compile(
    r"Root Cause \(first observed failure\):.*?\brank\s*:\s*(\d+).*?\bexitcode\s*:\s*(-?\d+)", re.DOTALL
)
_HINTS = (
    (
        re.compile(r"CUDA out of memory|OutOfMemoryError|CUDNN_STATUS_ALLOC_FAILED"),
        "the GPU's memory is full: lower train.batch_size and raise train.accumulation_steps by the same factor, "
        "or lower data.sequence_length or model.hidden_size",
    ),
    (
        re.compile(r"MemoryError|DefaultCPUAllocator: can't allocate|Cannot allocate memory|std::bad_alloc"),
        "the machine's memory is full: lower train.batch_size, data.sequence_length or model.hidden_size, "
        "or end other programs",
    ),
    (
        re.compile(r"No space left on device|Disk quota exceeded|\[Errno 28\]|\[Errno 122\]"),
        "the disk is full: make room, or lower train.keep_checkpoints, then resume",
    ),
)
_SIGNAL_MEANING = {
    signal.SIGKILL: "usually the kernel's out-of-memory killer, or somebody's kill -9",
    signal.SIGTERM: "somebody or something asked it to end",
    signal.SIGSEGV: "a crash in native code",
    signal.SIGABRT: "native code gave up; the log's last lines say why",
    signal.SIGBUS: "memory-mapped data could not be read; the disk may be full or gone",
}


class RootCause(msgspec.Struct, frozen=True):
    """sentence: for the first line of a screen. is_certain: a rank said so itself, or died of a crash."""

    sentence: str
    report: ErrorReport
    is_certain: bool


def root_cause(attempt: Attempt, returncode: int | None, before: float = 0.0, said: str = "") -> RootCause:
    """The most probable cause of an attempt's failure.

    returncode: of the agent, minus the signal's number for a signal. before: Unix seconds; reports from
    later are left out, since ranks complain about peers that we killed. 0 takes all. said: what is known
    already, when not even a process could be started.
    """
    if said:
        now = ErrorReport(0, "OSError", said, "", time.time(), time.monotonic_ns(), hint=hint_for(said))
        return RootCause(said, now, True)
    reports = [report for report in read_reports(attempt) if not before or report.time < before]
    verdict = _torchrun_verdict(attempt)
    if verdict and verdict[1] < 0 and verdict[0] not in {report.rank for report in reports}:
        # the others' "connection closed by peer" only follows from this
        rank, code = verdict
        return _unexplained(attempt, code, f"rank {rank} was ", rank, is_certain=True)
    if reports:
        first = reports[0]
        hint = first.hint or hint_for(f"{first.exception}: {first.message}\n{first.traceback}")
        report = msgspec.structs.replace(first, hint=hint)
        where = f"rank {first.rank}: " if len(_rank_numbers(attempt)) > 1 or first.rank else ""
        lines = first.message.strip().splitlines()
        message = f": {lines[0]}" if lines else ""
        return RootCause(f"{where}{first.exception}{message}", report, True)
    if verdict and verdict[1] > 0:
        return _unexplained(attempt, verdict[1], f"rank {verdict[0]} ", verdict[0], is_certain=True)
    return _unexplained(attempt, returncode, "", 0, is_certain=False)


def read_reports(attempt: Attempt) -> list[ErrorReport]:
    """The ranks' error reports, the earliest first; damaged ones are passed over."""
    reports: list[ErrorReport] = []
    for path in sorted(attempt.ranks_dir.glob("error-*.json")):
        report = read_struct(path, ErrorReport)
        if report is not None:
            reports.append(report)
    return sorted(reports, key=lambda report: report.monotonic_ns)


def hint_for(text: str) -> str:
    """What a person can do about an error with this text, or nothing."""
    return next((hint for pattern, hint in _HINTS if pattern.search(text)), "")


def describe_returncode(returncode: int | None) -> str:
    """A return code in words: `killed by signal 9: usually …`, `ended with exit code 3`."""
    if returncode is None:
        return "ended, and nobody was there to see how"
    if returncode >= 0:
        return f"ended with exit code {returncode}"
    try:
        meaning = _SIGNAL_MEANING.get(signal.Signals(-returncode)) or signal.Signals(-returncode).name
    except ValueError:
        meaning = "a signal this system has no name for"
    return f"killed by signal {-returncode}: {meaning}"


def last_words(attempt: Attempt, rank: int | None = None) -> list[str]:
    """The last lines of the console and of the ranks' logs, one rank's last."""
    rank_logs = sorted(attempt.ranks_dir.glob("*/attempt_*/[0-9]*/std*.log"))
    if rank is not None:
        rank_logs = [log for log in rank_logs if log.parent.name == str(rank)]
    lines: list[str] = []
    for log in (attempt.console_file, *rank_logs):
        lines.extend(_tail(log))
    return lines[-_LAST_LINES:]


def _unexplained(attempt: Attempt, returncode: int | None, who: str, rank: int, *, is_certain: bool) -> RootCause:
    lines = last_words(attempt, rank if who else None)
    how = describe_returncode(returncode)
    sentence = f"{who}{how}" if who else how
    if returncode is not None and returncode >= 0:
        sentence = f"{sentence}; its last words: {lines[-1]}" if lines else f"{sentence}, and said nothing"
    report = ErrorReport(
        rank=rank,
        exception=_signal_name(returncode),
        message=sentence,
        traceback="\n".join(lines),
        time=time.time(),
        monotonic_ns=time.monotonic_ns(),
        hint=hint_for("\n".join(lines)),
    )
    return RootCause(sentence, report, is_certain)


def _signal_name(returncode: int | None) -> str:
    try:
        return signal.Signals(-(returncode or 0)).name
    except ValueError:  # an exit code, or a signal without a name
        return ""


def _torchrun_verdict(attempt: Attempt) -> tuple[int, int] | None:
    found = _TORCHRUN_VERDICT.search("\n".join(_tail(attempt.console_file, num_lines=10_000)))
    return (int(found[1]), int(found[2])) if found else None


def _rank_numbers(attempt: Attempt) -> set[str]:
    return {log.parent.name for log in attempt.ranks_dir.glob("*/attempt_*/[0-9]*/std*.log")}


def _tail(path: Path, num_lines: int = _LAST_LINES) -> list[str]:
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _LOG_BYTES))
            text = file.read(_LOG_BYTES).decode("utf-8", "replace")
    except OSError:
        return []
    # a progress bar rewrites its line with \r: what stood there last counts
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
    return [line for line in lines if line.strip()][-num_lines:]
