"""Why an attempt failed: which rank was first, of what it failed, and the last it said.

Ranks that lose another one complain as well, and the first complaint is often theirs. So what counts is, in this
order: an exception that has nothing to do with other ranks, a rank that died of a signal, a rank that ended
without a word, a rank for which the others waited in vain.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Sequence

import msgspec

from runs.cause_words import (
    cause_of_report,
    cause_of_returncode,
    cause_of_text,
    hint_for,
    signal_name,
    tells_of_waiting,
    waited_in_vain,
)
from runs.error_report import Cause, ErrorReport
from runs.evidence import SIGABRT, SIGKILL, SIGTERM, Evidence, newest, only_follows
from runs.folder import Attempt
from runs.hang_watch import named_ranks, who_stands
from runs.log_tail import crashes, last_sentence, last_words, rank_logs, rank_words
from runs.machines import consoles, machine_ends
from runs.processes import boot_id
from runs.torchrun_verdict import RankFailure, rank_failures

_HANG_HINT = (
    "the stacks in its log show what it was doing; was it a mere delay, raise launch.collective_timeout; then "
    "resume from the last checkpoint"
)


class RootCause(msgspec.Struct, frozen=True):
    """sentence: for the first line of a screen. is_certain: a rank said so itself, or was seen to die of it."""

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
        cause = cause_of_text(said) or "error"
        report = ErrorReport(0, "OSError", said, "", newest(attempt), 0, hint=hint_for(said), cause=cause)
        return RootCause(said, report, True)
    return _Search(Evidence(attempt, before), returncode).decide()


def vanished_cause(attempt: Attempt, boot: str = "") -> RootCause:
    """What became of an attempt that nobody saw ending: supervisor and engine are gone, and left no outcome.

    boot: boot id of this machine when the attempt was started; empty when nobody knows. Cheap to ask again.
    """
    return _vanished_cause(attempt, boot, _stamp(attempt))


@functools.lru_cache(maxsize=64)
def _vanished_cause(attempt: Attempt, boot: str, stamp: tuple[int, ...]) -> RootCause:
    """stamp: of what the answer rests on, so that a newer one is searched for anew."""
    evidence = Evidence(attempt)
    search = _Search(evidence, None)
    found = search.decide()
    if found.is_certain:
        return found
    where, killer = evidence.where(0), evidence.oom_killer(0)
    if boot and boot != boot_id():
        return search.unseen(f"the machine was switched off or restarted while it ran{where}", "killed")
    sentence = f"supervisor and engine disappeared without a word{where}: "
    if killer == "yes":
        return search.unseen(f"{sentence}the kernel's out-of-memory killer ended them", "out of memory")
    # whatever was killed on this machine since then may have been anything
    perhaps = "" if killer == "no" else ", the kernel's out-of-memory killer"
    return search.unseen(f"{sentence}kill -9{perhaps}, or the end of a whole session?", "killed")


def _stamp(attempt: Attempt) -> tuple[int, ...]:
    stamps: list[int] = []
    for path in (attempt.path, attempt.ranks_dir, attempt.console_file):
        with contextlib.suppress(OSError):
            stamps.append(path.stat(follow_symlinks=False).st_mtime_ns)
    return tuple(stamps)


class _Search:
    """Goes through the evidence."""

    def __init__(self, evidence: Evidence, returncode: int | None) -> None:
        self.evidence = evidence
        self.attempt = evidence.attempt
        self.returncode = returncode

    def decide(self) -> RootCause:
        """Go through what can be the cause, the surest first."""
        attempt, failures = self.attempt, self.evidence.failures
        own = [report for report in self.evidence.reports if not (self.evidence.is_group and only_follows(report))]
        # where a rank fails of itself, others may die of it: by torchrun's signals, or in native code
        of_itself = [report for report in own if not _is_of_collectives(report)]
        if of_itself:
            return self._reported(of_itself[0], of_itself)
        gave_up = [each for each in failures if each.code == SIGABRT and self._gave_up(each)]
        died = [each for each in failures if each.code < 0 and each.code != SIGTERM and each not in gave_up]
        if died and not self._was_ended_as_late(died[0]):
            return self._died(min(died, key=lambda each: self.evidence.waits(each.rank)))
        ends = [end for end in machine_ends(attempt) if end.returncode]
        for end in ends:
            if end.returncode < 0 and not own:
                return self._unexplained(end.returncode, f"what ran on {end.host} was ", None)
        if own:
            return self._reported(own[0], own)
        for failure in failures:
            if failure.code > 0:
                return self._unexplained(
                    failure.code, f"{self.evidence.who(failure.rank, failure.host)} ", failure
                )
        # of a group, since a rank's own reports are dealt with
        if gave_up or any(map(waited_in_vain, self.evidence.reports)):
            return self._hung(gave_up)
        if self.returncode is None or self.evidence.is_group:
            for rank, code in crashes(attempt):
                return self._crashed(rank, code)
        if self.evidence.reports:
            return self._missed()
        for failure in failures:
            return self._died(failure)
        for end in ends:
            return self._unexplained(end.returncode, f"torchrun on {end.host} ", None)
        if self.returncode is not None and self.evidence.is_group:
            was = "was " if self.returncode < 0 else ""
            return self._unexplained(self.returncode, f"torchrun, which starts the ranks, {was}", None)
        return self._unexplained(self.returncode, "", None)

    def _died(self, failure: RankFailure) -> RootCause:
        return self._unexplained(failure.code, f"{self.evidence.who(failure.rank, failure.host)} was ", failure)

    def unseen(self, sentence: str, cause: Cause) -> RootCause:
        """An end that nobody saw."""
        lines = last_words(self.attempt)
        hint = hint_for("MemoryError") if cause == "out of memory" else hint_for("\n".join(lines))
        report = self.evidence.report(0, sentence, "\n".join(lines), cause, hint)
        return RootCause(sentence, report, False)

    def _was_ended_as_late(self, failure: RankFailure) -> bool:
        """Whether it was ended only because the others had waited for it in vain (`HangWatch`)."""
        if failure.code != SIGKILL or not any(map(waited_in_vain, self.evidence.reports)):
            return False
        if self.evidence.oom_killer(failure.rank) == "yes":
            return False
        standing = who_stands(tuple(self.evidence.marks.values()))
        return standing is not None and failure.rank in standing.ranks

    def _reported(self, first: ErrorReport, reports: list[ErrorReport]) -> RootCause:
        hint = first.hint or hint_for(f"{first.exception}: {first.message}\n{first.traceback}")
        cause = first.cause if first.cause not in ("", "error") else cause_of_report(first)
        report = msgspec.structs.replace(first, hint=hint, cause=cause)
        is_one_of_many = first.rank or len(rank_logs(self.attempt)) > 2 or len(consoles(self.attempt)) > 1
        where = f"{self._all_who_said_it(first, reports)}: " if is_one_of_many else ""
        lines = first.message.strip().splitlines()
        message = f": {lines[0]}" if lines else ""
        return RootCause(f"{where}{first.exception}{message}", report, True)

    def _all_who_said_it(self, first: ErrorReport, reports: list[ErrorReport]) -> str:
        said = (first.exception, first.message)
        ranks = sorted(each.rank for each in reports if (each.exception, each.message) == said)
        if len(ranks) == 1 or len(consoles(self.attempt)) > 1:
            return self.evidence.who(first.rank, first.host)
        if len(ranks) == len(self.evidence.marks):
            return "both ranks" if len(ranks) == 2 else f"all {len(ranks)} ranks"
        return named_ranks(ranks)

    def _hung(self, gave_up: Sequence[RankFailure]) -> RootCause:
        """The others' collective ran into its time limit, of which they say so, or were ended (`gave_up`)."""
        waited: list[ErrorReport | RankFailure] = [*filter(waited_in_vain, self.evidence.reports), *gave_up]
        standing = who_stands(tuple(self.evidence.marks.values()))
        if standing is None:
            rank = waited[0].rank
            sentence = f"{self.evidence.who(rank, waited[0].host)} waited for the others in vain"
        else:
            sentence, rank = standing.sentence, standing.ranks[0] if standing.ranks else waited[0].rank
        lines = last_words(self.attempt, rank)
        report = self.evidence.report(rank, sentence, "\n".join(lines), "hang", _HANG_HINT)
        return RootCause(sentence, report, True)

    def _gave_up(self, failure: RankFailure) -> bool:
        """Whether a rank was ended by its own collectives, which had waited too long for another."""
        return tells_of_waiting("\n".join(rank_words(self.attempt, failure.local_rank, failure.console)))

    def _missed(self) -> RootCause:
        """Ranks that lost one which left no word, nor did torchrun have one for it."""
        reported = {report.rank for report in self.evidence.reports}
        silent = [
            each for rank, each in self.evidence.marks.items() if rank not in reported and not each.mark.waits
        ]
        if not silent:
            return self._reported(self.evidence.reports[0], self.evidence.reports)
        rank = min(silent, key=lambda each: each.mark.collectives).rank
        if rank_failures(self.attempt):  # torchrun saw the others fail, and nothing wrong with this one
            how = f"{self.evidence.how(0, rank)}, though the run was not over, and the others missed it"
            report = self.evidence.report(rank, how, "\n".join(last_words(self.attempt, rank)), "error", "")
            return RootCause(f"rank {rank} {how}", report, True)
        killer = self.evidence.oom_killer(rank)
        cause: Cause = "out of memory" if killer in ("yes", "perhaps") else "killed"
        how = "; most likely the kernel's out-of-memory killer ended it" if cause == "out of memory" else ""
        sentence = (
            f"rank {rank} disappeared without a word{self.evidence.where(rank)}, and the others missed it{how}"
        )
        lines = last_words(self.attempt, rank)
        hint = hint_for("MemoryError") if cause == "out of memory" else ""
        return RootCause(sentence, self.evidence.report(rank, sentence, "\n".join(lines), cause, hint), True)

    def _crashed(self, rank: int, code: int) -> RootCause:
        """A crash that the rank's own log tells of."""
        was = f"rank {rank} was " if self.evidence.is_group else ""
        sentence = f"{was}{self.evidence.how(code, rank)}"
        lines = last_words(self.attempt, rank if self.evidence.is_group else None)
        report = self.evidence.report(rank, sentence, "\n".join(lines), "crash", "", signal_name(code))
        return RootCause(sentence, report, True)

    def _unexplained(self, returncode: int | None, who: str, failure: RankFailure | None) -> RootCause:
        """An end by signal or exit code, with the last words of whoever it was."""
        rank = failure.rank if failure else 0
        whose = (failure.local_rank, failure.console) if failure else (None, None)
        lines = last_words(self.attempt, *whose)
        words = "\n".join(lines)
        sentence = f"{who}{self.evidence.how(returncode, rank)}"
        cause, hint = cause_of_returncode(returncode), hint_for(words)
        if returncode is None or returncode >= 0:
            cause = cause_of_text(words) or cause
        if returncode is not None and returncode >= 0:
            said = last_sentence(rank_words(self.attempt, *whose) if failure else lines)
            sentence = f"{sentence}; its last words: {said}" if said else f"{sentence}, and said nothing"
        elif returncode == SIGKILL and self.evidence.oom_killer(rank) in ("yes", "perhaps"):
            cause, hint = "out of memory", hint or hint_for("MemoryError")
        report = self.evidence.report(rank, sentence, words, cause, hint, signal_name(returncode))
        if failure:
            report = msgspec.structs.replace(report, host=failure.host)
        return RootCause(sentence, report, failure is not None)


def _is_of_collectives(report: ErrorReport) -> bool:
    """Whether an exception comes out of talking to other ranks, in words that nobody here knows."""
    return "torch/distributed/" in report.traceback
