"""What torchrun prints about the ranks that failed, on each machine of a run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from runs.folder import Attempt
from runs.log_tail import tail
from runs.machines import consoles

_ROOT_CAUSE = "Root Cause (first observed failure):"
_FAILURE = re.compile(
    r"^\[\d+\]:\s*\n\s*time\s*:[^\n]*\n\s*host\s*:\s*(?P<host>\S+)\n\s*rank\s*:\s*(?P<rank>\d+)"
    r"(?: \(local_rank: (?P<local_rank>\d+)\))?\s*\n\s*exitcode\s*:\s*(?P<code>-?\d+)",
    re.MULTILINE,
)


class RankFailure(NamedTuple):
    """torchrun's word on a rank. local_rank: among its machine's. console: where torchrun said it.

    code: its exit code, or minus the signal's number.
    """

    rank: int
    local_rank: int
    code: int
    host: str
    console: Path


def rank_failures(attempt: Attempt) -> list[RankFailure]:
    """Every rank that torchrun saw failing, machine by machine, the one that it saw first at the front.

    It looks ten times a second, and takes the lowest rank of those that have failed since: that one may only have
    missed another.
    """
    found: list[RankFailure] = []
    for console in consoles(attempt):
        others, verdict, first = "\n".join(tail(console, num_lines=10_000)).partition(_ROOT_CAUSE)
        if not verdict:
            continue
        before = others.rpartition("Failures:")[2]
        for match in (*_FAILURE.finditer(first), *_FAILURE.finditer(before)):
            rank = int(match["rank"])
            local_rank = int(match["local_rank"] or rank)
            found.append(RankFailure(rank, local_rank, int(match["code"]), match["host"], console))
    return found
