"""The ends of what a run's processes printed: last lines, and whether Python crashed in native code."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from runs.console import without_events
from runs.folder import Attempt
from runs.machines import consoles
from runs.safe_files import open_file

LAST_LINES = 30

_LOG_BYTES = 64 << 10
_BORDER = re.compile(r"[=-]{8,}$")
_RANK_LOGS = "*/attempt_*/[0-9]*/std*.log"
_FATAL = re.compile(r"^Fatal Python error: (?P<what>[A-Z][a-z -]+)$", re.MULTILINE)
_SIGNALS = {
    "Segmentation fault": signal.SIGSEGV,
    "Bus error": signal.SIGBUS,
    "Aborted": signal.SIGABRT,
    "Floating point exception": signal.SIGFPE,
    "Floating-point exception": signal.SIGFPE,
    "Illegal instruction": signal.SIGILL,
}


def tail(path: Path, num_lines: int = LAST_LINES) -> list[str]:
    """The last lines of a log that are neither blank nor an event, which is told better elsewhere.

    None when it cannot be read.
    """
    try:
        with open_file(path) as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _LOG_BYTES))
            text = file.read(_LOG_BYTES).decode("utf-8", "replace")
    except OSError:
        return []
    # a progress bar rewrites its line with \r: what stood there last counts
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
    return [line for line in without_events(lines) if line.strip()][-num_lines:]


def last_words(attempt: Attempt, rank: int | None = None, machine: Path | None = None) -> list[str]:
    """The last lines of torchrun's output and of the ranks' logs; only of the rank's, where it printed anything.

    machine: the output of one machine's torchrun, whose logs alone are read, and rank then counts its own ranks.
    """
    by_ranks = rank_words(attempt, rank, machine)
    if rank is not None and by_ranks:
        return by_ranks
    by_torchrun = [line for console in _consoles(attempt, machine) for line in tail(console)]
    return [*by_torchrun, *by_ranks][-LAST_LINES:]


def rank_words(attempt: Attempt, rank: int | None = None, machine: Path | None = None) -> list[str]:
    """The last lines that a rank, or all of them, printed into logs of their own; see `last_words`."""
    logs = [log for console in _consoles(attempt, machine) for log in rank_logs(attempt, console)]
    mine = [log for log in logs if rank is None or log.parent.name == str(rank)]
    return [line for log in mine for line in tail(log)][-LAST_LINES:]


def last_sentence(lines: list[str]) -> str:
    """The last of some lines that is not a mere border."""
    return next((line for line in reversed(lines) if not _BORDER.match(line)), "")


def rank_logs(attempt: Attempt, console: Path | None = None) -> list[Path]:
    """The ranks' own logs, on the machine with that console or the first; a process that runs alone has none."""
    above = attempt.ranks_dir if console is None or console == attempt.console_file else console.parent
    return sorted(above.glob(_RANK_LOGS), key=lambda log: (log.parent, log.name == "stderr.log"))


def _consoles(attempt: Attempt, machine: Path | None) -> tuple[Path, ...]:
    return (machine,) if machine is not None else consoles(attempt)


def crashes(attempt: Attempt) -> list[tuple[int, int]]:
    """Ranks of the first machine whose log ends in a crash of native code, and minus the signal's number.

    For when nobody was there to see the exit status.
    """
    logs = rank_logs(attempt) or [attempt.console_file]
    found: list[tuple[int, int]] = []
    for log in logs:
        fatal = list(_FATAL.finditer("\n".join(tail(log, num_lines=2_000))))
        number = _SIGNALS.get(fatal[-1]["what"]) if fatal else None
        if number is not None:
            rank = int(log.parent.name) if log.parent.name.isdecimal() and log != attempt.console_file else 0
            found.append((rank, -number))
    return found
