"""What is left of an attempt that failed: reports, torchrun's verdict, marks, and what the kernel counted."""

from __future__ import annotations

import contextlib
import itertools
from functools import cached_property

from runs.cause_words import describe_returncode, misses_a_peer, waited_in_vain
from runs.error_report import Cause, ErrorReport
from runs.folder import Attempt, read_struct
from runs.log_tail import rank_logs
from runs.machines import consoles
from runs.oom_killer import was_oom_killed
from runs.processes import boot_id, this_host
from runs.rank_marks import RankMark, read_marks
from runs.torchrun_verdict import RankFailure, rank_failures

SIGKILL, SIGABRT, SIGTERM = -9, -6, -15

_MOST_REPORTS = 1 << 16
_OF_THE_OOM_KILLER = {
    "yes": "the kernel's out-of-memory killer, since there was no memory left",
    "perhaps": "most likely the kernel's out-of-memory killer, which killed something here in that time",
    "no": "somebody's kill -9; it was not the kernel's out-of-memory killer",
}


class Evidence:
    """What is left of an attempt; each kind is read when it is asked for first."""

    def __init__(self, attempt: Attempt, before: float = 0.0) -> None:
        """before: Unix seconds; reports from later are left out. 0 takes all."""
        self.attempt = attempt
        self.before = before

    @cached_property
    def reports(self) -> list[ErrorReport]:
        """The ranks' own words, the earliest first."""
        return [each for each in read_reports(self.attempt) if not self.before or each.time < self.before]

    @cached_property
    def failures(self) -> list[RankFailure]:
        """Of ranks that left no report: the others have said it themselves."""
        reported = {report.rank for report in self.reports}
        return [each for each in rank_failures(self.attempt) if each.code and each.rank not in reported]

    @cached_property
    def marks(self) -> dict[int, RankMark]:
        """By rank: where it was last."""
        return {each.rank: each for each in read_marks(self.attempt)}

    @cached_property
    def is_group(self) -> bool:
        """Whether torchrun started several ranks, so that one can miss another."""
        has_others = len(self.marks) > 1 or any(report.rank for report in self.reports) or bool(self.failures)
        return has_others or bool(rank_logs(self.attempt)) or len(consoles(self.attempt)) > 1

    def waits(self, rank: int) -> bool:
        """Whether it was last seen waiting for the others."""
        return rank in self.marks and self.marks[rank].mark.waits

    def where(self, rank: int) -> str:
        """` at step 120 (in evaluation)`, where the rank has marked it."""
        mark = self.marks.get(rank)
        return f" at step {mark.mark.step:,} ({mark.mark.phase})" if mark else ""

    def oom_killer(self, rank: int) -> str:
        """Whether the kernel's out-of-memory killer struck since the rank came up: yes, perhaps, no, unknown."""
        mark = self.marks.get(rank)
        if mark is None or mark.process is None:
            return "unknown"
        identity = mark.process.identity
        if identity.host != this_host() or identity.boot_id != boot_id():
            return "unknown"
        return was_oom_killed(mark.process.oom_kills)

    def who(self, rank: int, host: str) -> str:
        """The rank, and where several machines take part, which one it was on."""
        return f"rank {rank} on {host}" if host and len(consoles(self.attempt)) > 1 else f"rank {rank}"

    def how(self, returncode: int | None, rank: int) -> str:
        """`killed by signal 9 at step 120 (in training): somebody's kill -9; …`."""
        how, colon, meaning = describe_returncode(returncode).partition(": ")
        if returncode == SIGKILL:
            meaning = _OF_THE_OOM_KILLER.get(self.oom_killer(rank), meaning)
        return f"{how}{self.where(rank)}{colon}{meaning}"

    def report(
        self, rank: int, sentence: str, traceback: str, cause: Cause, hint: str, exception: str = ""
    ) -> ErrorReport:
        """What a rank would have said, had it been able to."""
        mark = self.marks.get(rank)
        return ErrorReport(
            rank=rank,
            exception=exception,
            message=sentence,
            traceback=traceback,
            time=newest(self.attempt),
            monotonic_ns=0,
            step=mark.mark.step if mark else 0,
            hint=hint,
            cause=cause,
        )


def read_reports(attempt: Attempt) -> list[ErrorReport]:
    """The ranks' error reports, the earliest first; damaged ones are passed over.

    Clocks of several machines differ, so there what can only follow from another rank's end comes last.
    """
    reports: list[ErrorReport] = []
    for path in sorted(itertools.islice(attempt.ranks_dir.glob("error-*.json"), _MOST_REPORTS)):
        report = read_struct(path, ErrorReport)
        if report is not None:
            reports.append(report)
    if len({report.host for report in reports}) > 1 or len(consoles(attempt)) > 1:
        return sorted(reports, key=lambda report: (only_follows(report), report.time))
    return sorted(reports, key=lambda report: report.monotonic_ns)


def only_follows(report: ErrorReport) -> bool:
    """Whether a rank only complains about another one, which is gone or does not come."""
    return misses_a_peer(report) or waited_in_vain(report)


def newest(attempt: Attempt) -> float:
    """Unix seconds of the last thing that was printed; the same whenever it is asked for, unlike the time now."""
    times = [0.0]
    for path in (attempt.path, attempt.console_file):
        with contextlib.suppress(OSError):
            times.append(path.stat(follow_symlinks=False).st_mtime)
    return max(times)
