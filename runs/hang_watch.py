"""Which rank stands still while the others wait for it, by the marks that ranks leave; and what it stands in."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence

import msgspec

from runs.clock import local_time
from runs.error_report import ErrorReport
from runs.folder import Attempt, read_struct
from runs.processes import find_tagged, send_signal
from runs.rank_marks import RankMark, read_marks

STANDING_S = 30.0
"""How long a rank has to stand still before anybody says so."""
STACKS_SIGNAL = signal.SIGUSR2
"""On this a rank prints what its threads are doing into its log, also when it hangs in native code."""

_LOOK_S = 2.0
_AT_ONCE_S = 1.0
_MOST_NAMED = 4


class Standing(msgspec.Struct, frozen=True):
    """Ranks that keep the others waiting.

    ranks: whom the others wait for; empty when all wait for one another. missing: of these, those that never came
    up. waiting: how many wait. step, phase: where the first of them stands. since: Unix seconds of its last mark.
    """

    ranks: tuple[int, ...]
    waiting: int
    step: int
    phase: str
    since: float
    missing: bool = False

    @property
    def sentence(self) -> str:
        """`rank 2 has not moved since step 120 (in evaluation, 12:03:10); the others wait for it`."""
        clock = local_time(self.since, "%H:%M:%S")
        where = f"since step {self.step:,} ({self.phase}, {clock})"
        if not self.ranks:
            return f"all ranks wait for one another {where}: the network between them, or a device, stands still"
        one = len(self.ranks) == 1
        they, have, them = named_ranks(self.ranks), "has" if one else "have", "it" if one else "them"
        if self.missing:
            return f"{they} {have} not come up; the others wait for {them} {where}"
        if not self.waiting:
            who = "it has" if self.ranks == (0,) else f"{they} {have}"
            return f"{who} not moved {where}"
        return f"{they} {have} not moved {where}; the others wait for {them}"


def named_ranks(ranks: Sequence[int]) -> str:
    """`rank 2`, `ranks 1 and 3`, `ranks 0, 1, 2, 3 and 4 more`."""
    if len(ranks) == 1:
        return f"rank {ranks[0]}"
    if len(ranks) > _MOST_NAMED:
        listed = ", ".join(map(str, ranks[:_MOST_NAMED]))
        return f"ranks {listed} and {len(ranks) - _MOST_NAMED} more"
    return f"ranks {', '.join(map(str, ranks[:-1]))} and {ranks[-1]}"


def who_stands(marks: Sequence[RankMark]) -> Standing | None:
    """Whom the others wait for, if nobody moves any more; None without marks.

    Collectives come in the same order on every rank, so the rank that entered the fewest is the one that is missed
    by all. Of ranks that entered as many, those that have left it again stand outside; when none has, the one that
    came much later than the others is the late one.
    """
    if not marks:
        return None
    num_ranks = max((each.process.num_ranks for each in marks if each.process), default=len(marks))
    absent = sorted(set(range(num_ranks)) - {each.rank for each in marks})
    if absent:
        oldest = min(marks, key=lambda each: each.mark.time)
        return _standing(oldest, absent, len(marks), missing=True)
    fewest = min(each.mark.collectives for each in marks)
    behind = [each for each in marks if each.mark.collectives == fewest]
    waiting = [each for each in marks if each.mark.waits and each.mark.collectives > fewest]
    outside = [each for each in behind if not each.mark.waits]
    if outside:
        waiting += [each for each in behind if each.mark.waits]
        return _standing(outside[0], [each.rank for each in outside], len(waiting))
    if waiting:
        return _standing(behind[0], [each.rank for each in behind], len(waiting))
    if len(marks) == 1:
        return _standing(marks[0], [marks[0].rank], 0)
    by_time = sorted(marks, key=lambda each: each.mark.time)
    is_one_host = len({each.process.identity.host for each in marks if each.process}) == 1
    if is_one_host and by_time[-1].mark.time - by_time[-2].mark.time > _AT_ONCE_S:
        return _standing(by_time[-1], [by_time[-1].rank], len(marks) - 1)
    return _standing(by_time[-1], [], len(marks))


def standing_sentence(attempt: Attempt, now: float, least_s: float = STANDING_S) -> str:
    """Who has stood still for at least so long at Unix time `now`, in a sentence; empty when somebody moves."""
    standing = _still(read_marks(attempt), now, least_s)
    return standing.sentence if standing else ""


def _standing(first: RankMark, ranks: Sequence[int], waiting: int, missing: bool = False) -> Standing:
    mark = first.mark
    return Standing(tuple(ranks), waiting, mark.step, mark.phase, mark.time, missing)


def _still(marks: Sequence[RankMark], now: float, least_s: float) -> Standing | None:
    if not marks or now - max(each.mark.time for each in marks) < least_s:
        return None
    return who_stands(marks)


class HangWatch:
    """For the supervisor: has a rank that stands still print its stacks, and ends it once the others give up."""

    def __init__(self, attempt: Attempt, tag: str) -> None:
        """tag: of the attempt's processes; no other process is ever signalled."""
        self._attempt = attempt
        self._tag = tag
        self._looked_at = 0.0
        self._asked: tuple[RankMark, ...] = ()
        self._ended: set[int] = set()

    def look(self) -> str:
        """Look at the marks, at most every 2 s. Returns a line for the supervisor's log, mostly none."""
        now = time.monotonic()
        if now - self._looked_at < _LOOK_S:
            return ""
        self._looked_at = now
        marks = read_marks(self._attempt)
        limit_s = max((each.process.limit_s for each in marks if each.process), default=0.0)
        least_s = min(STANDING_S, limit_s / 2) if limit_s else STANDING_S
        standing = _still(marks, time.time(), least_s)
        if standing is None:
            return ""
        if marks != self._asked:
            self._asked = marks
            self._signal(marks, standing, STACKS_SIGNAL)
            return f"{standing.sentence}; it was asked for its stacks"
        return self._end_given_up(marks, standing)

    def _end_given_up(self, marks: Sequence[RankMark], standing: Standing) -> str:
        """torchrun would wait for minutes that it saves what can no longer be saved: the group is broken."""
        from runs.cause_words import waited_in_vain  # only ever needed in a hang

        if not standing.ranks or standing.missing or self._ended.issuperset(standing.ranks):
            return ""
        reports = [read_struct(path, ErrorReport) for path in self._attempt.ranks_dir.glob("error-*.json")]
        if not any(report is not None and waited_in_vain(report) for report in reports):
            return ""
        self._ended.update(standing.ranks)
        self._signal(marks, standing, signal.SIGKILL)
        return f"the others gave up waiting, so it was ended: {standing.sentence}"

    def _signal(self, marks: Sequence[RankMark], standing: Standing, number: signal.Signals) -> None:
        tagged = set(find_tagged(self._tag))
        for each in marks:
            if each.rank in standing.ranks and each.process is not None and each.process.identity in tagged:
                send_signal(each.process.identity, number)
