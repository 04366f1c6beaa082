"""Why an attempt failed: the earliest rank's own report, else the signal or exit code and the last words."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path
from typing import NamedTuple

import msgspec

from runs.folder import Attempt, read_struct
from runs.machines import consoles, machine_ends
from runs.status import ErrorReport

_LAST_LINES = 30
_LOG_BYTES = 64 << 10
_TORCHRUN_VERDICT = re.compile(
    r"Root Cause \(first observed failure\):(?:.*?\bhost\s*:\s*(?P<host>\S+))?.*?\brank\s*:\s*(?P<rank>\d+)"
    r"(?: \(local_rank: (?P<local_rank>\d+)\))?.*?\bexitcode\s*:\s*(?P<code>-?\d+)",
    re.DOTALL,
)
_ONLY_A_CONSEQUENCE = re.compile(
    r"Connection closed by peer|Connection reset by peer|Broken pipe|remote process exited|Socket Timeout"
)
_RANK_LOGS = "*/attempt_*/[0-9]*/std*.log"
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


class Verdict(NamedTuple):
    """torchrun's word on a rank. local_rank: among its machine's. console: where torchrun said it."""

    rank: int
    local_rank: int
    code: int
    host: str
    console: Path


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
    verdicts = _torchrun_verdicts(attempt)
    reported = {report.rank for report in reports}
    for verdict in verdicts:
        if verdict.code < 0 and verdict.rank not in reported:
            # the others' "connection closed by peer" only follows from this
            return _unexplained(attempt, verdict.code, f"{_who(attempt, verdict)} was ", verdict)
    ends = [end for end in machine_ends(attempt) if end.returncode]
    for end in ends:
        if end.returncode < 0 and all(map(_is_only_a_consequence, reports)):
            return _unexplained(attempt, end.returncode, f"what ran on {end.host} was ", None)
    if reports:
        return _reported(attempt, reports[0])
    for verdict in verdicts:
        if verdict.code > 0:
            return _unexplained(attempt, verdict.code, f"{_who(attempt, verdict)} ", verdict)
    for end in ends:
        return _unexplained(attempt, end.returncode, f"torchrun on {end.host} ", None)
    return _unexplained(attempt, returncode, "", None)


def _reported(attempt: Attempt, first: ErrorReport) -> RootCause:
    hint = first.hint or hint_for(f"{first.exception}: {first.message}\n{first.traceback}")
    report = msgspec.structs.replace(first, hint=hint)
    is_one_of_many = first.rank or len(_rank_numbers(attempt)) > 1 or len(consoles(attempt)) > 1
    where = f"{_who(attempt, first)}: " if is_one_of_many else ""
    lines = first.message.strip().splitlines()
    message = f": {lines[0]}" if lines else ""
    return RootCause(f"{where}{first.exception}{message}", report, True)


def _who(attempt: Attempt, source: ErrorReport | Verdict) -> str:
    """The rank, and where several machines take part, which one it was on."""
    machine = f" on {source.host}" if source.host and len(consoles(attempt)) > 1 else ""
    return f"rank {source.rank}{machine}"


def read_reports(attempt: Attempt) -> list[ErrorReport]:
    """The ranks' error reports, the earliest first; damaged ones are passed over.

    Clocks of several machines differ, so there what can only follow from another rank's end comes last.
    """
    reports: list[ErrorReport] = []
    for path in sorted(attempt.ranks_dir.glob("error-*.json")):
        report = read_struct(path, ErrorReport)
        if report is not None:
            reports.append(report)
    if len({report.host for report in reports}) > 1 or len(consoles(attempt)) > 1:
        return sorted(reports, key=lambda report: (_is_only_a_consequence(report), report.time))
    return sorted(reports, key=lambda report: report.monotonic_ns)


def _is_only_a_consequence(report: ErrorReport) -> bool:
    return bool(_ONLY_A_CONSEQUENCE.search(report.message))


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


def last_words(attempt: Attempt, rank: int | None = None, machine: Path | None = None) -> list[str]:
    """The last lines of torchrun's output and of the ranks' logs, one rank's last.

    machine: the output of one machine's torchrun, whose logs alone are read, and rank then counts its own ranks.
    """
    lines: list[str] = []
    for console in (machine,) if machine is not None else consoles(attempt):
        logs = attempt.ranks_dir if console == attempt.console_file else console.parent
        rank_logs = sorted(logs.glob(_RANK_LOGS))
        if rank is not None:
            rank_logs = [log for log in rank_logs if log.parent.name == str(rank)]
        for log in (console, *rank_logs):
            lines.extend(_tail(log))
    return lines[-_LAST_LINES:]


def _unexplained(attempt: Attempt, returncode: int | None, who: str, verdict: Verdict | None) -> RootCause:
    lines = last_words(attempt, verdict.local_rank, verdict.console) if verdict else last_words(attempt)
    how = describe_returncode(returncode)
    sentence = f"{who}{how}"
    if returncode is not None and returncode >= 0:
        sentence = f"{sentence}; its last words: {lines[-1]}" if lines else f"{sentence}, and said nothing"
    report = ErrorReport(
        rank=verdict.rank if verdict else 0,
        exception=_signal_name(returncode),
        message=sentence,
        traceback="\n".join(lines),
        time=time.time(),
        monotonic_ns=time.monotonic_ns(),
        hint=hint_for("\n".join(lines)),
        host=verdict.host if verdict else "",
    )
    return RootCause(sentence, report, verdict is not None)


def _signal_name(returncode: int | None) -> str:
    try:
        return signal.Signals(-(returncode or 0)).name
    except ValueError:  # an exit code, or a signal without a name
        return ""


def _torchrun_verdicts(attempt: Attempt) -> list[Verdict]:
    """What torchrun says of the first rank that failed, on each machine."""
    verdicts: list[Verdict] = []
    for console in consoles(attempt):
        found = _TORCHRUN_VERDICT.search("\n".join(_tail(console, num_lines=10_000)))
        if found:
            rank, code = int(found["rank"]), int(found["code"])
            verdicts.append(Verdict(rank, int(found["local_rank"] or rank), code, found["host"] or "", console))
    return verdicts


def _rank_numbers(attempt: Attempt) -> set[str]:
    return {log.parent.name for log in attempt.ranks_dir.glob(_RANK_LOGS)}


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
