"""Where each rank is: the step, what it does there, and how many collectives it has entered.

A rank overwrites its mark in `ranks/progress-<rank>` at every step (about 1 µs each), so that one that stands
still can be told from those that wait for it, while it stands and after it has ended. `ranks/process-<rank>.json`
says once which process it is.
"""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path
from typing import Annotated

import msgspec

from runs.folder import Attempt, read_struct
from runs.processes import ProcessIdentity

MARK_BYTES = 160
"""Size of a mark's file: one write of so many bytes, which no reader sees half."""

# what stands in a run may be from anybody
_MOST_RANKS = 1 << 16
_LATEST_S = 1e11
_MOST_STEPS = 1 << 62


class RankProcess(msgspec.Struct, frozen=True):
    """The process of a rank. limit_s: of a collective. oom_kills: the kernel's counts of kills before, by file."""

    identity: ProcessIdentity
    rank: int
    num_ranks: Annotated[int, msgspec.Meta(ge=1, le=_MOST_RANKS)]
    limit_s: float = 0.0
    oom_kills: dict[str, int] = {}


class Mark(msgspec.Struct, frozen=True):
    """Where a rank is.

    phase: what it does, as in "in evaluation". collectives: entered so far. waits: inside of the last of them, for
    ranks that have not come yet. time: Unix seconds at which it came there.
    """

    step: int
    phase: str
    collectives: int
    waits: bool
    time: Annotated[float, msgspec.Meta(ge=0, le=_LATEST_S)]


class RankMark(msgspec.Struct, frozen=True):
    """A rank's mark, and its process."""

    rank: int
    mark: Mark
    process: RankProcess | None = None


def mark_file(attempt: Attempt, rank: int) -> Path:
    """Where a rank marks its progress."""
    return attempt.ranks_dir / f"progress-{rank}"


def process_file(attempt: Attempt, rank: int) -> Path:
    """Where a rank says which process it is."""
    return attempt.ranks_dir / f"process-{rank}.json"


def read_marks(attempt: Attempt) -> tuple[RankMark, ...]:
    """The marks of all ranks that have come up, by rank; what is damaged is passed over. Never raises."""
    found: list[RankMark] = []
    with contextlib.suppress(OSError):
        for path in itertools.islice(attempt.ranks_dir.glob("progress-*"), _MOST_RANKS):
            number = path.name.removeprefix("progress-")
            mark = read_struct(path, Mark) if number.isdecimal() and len(number) < 7 else None
            if mark is not None:
                rank = int(number)
                found.append(RankMark(rank, mark, read_struct(process_file(attempt, rank), RankProcess)))
    return tuple(sorted(found, key=lambda each: each.rank))


def marked_step(attempt: Attempt) -> int:
    """Steps that the first rank has made by its own mark; 0 when it left none. Never raises."""
    mark = read_struct(mark_file(attempt, 0), Mark)
    return mark.step if mark is not None and 0 <= mark.step < _MOST_STEPS else 0


def last_moved(attempt: Attempt) -> float:
    """Unix seconds at which any rank marked progress last; 0 when none has."""
    times = [0.0]
    with contextlib.suppress(OSError):
        for path in itertools.islice(attempt.ranks_dir.glob("progress-*"), _MOST_RANKS):
            times.append(path.stat(follow_symlinks=False).st_mtime)
    return max(times)
