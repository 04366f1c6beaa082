"""The end of what a run's processes printed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from runs.folder import Attempt
from runs.safe_files import file_status, is_file, open_file

_TAIL_BYTES = 64 << 10
_EVENT = re.compile(r'(rank \d+: )?\d\d:\d\d:\d\d step \d+ \{"kind": "')
_RANK = re.compile(r"/(\d+)/std(?:out|err)\.log$")


def tail_console(attempt: Attempt, num_lines: int) -> tuple[str, ...]:
    """The last lines of `console.log` and of every rank's files, those written last at the end.

    Only the last 64 kB of each file are read. Of a line that was overwritten with carriage returns, as
    progress bars do, the last state is kept. Lines of several ranks begin with `rank N: `.
    """
    files = sorted(_logs(attempt), key=_written)
    ranks = {match[1] for path in files if (match := _RANK.search(str(path)))}
    lines: list[str] = []
    for path in files:
        match = _RANK.search(str(path))
        prefix = f"rank {match[1]}: " if match and len(ranks) > 1 else ""
        lines.extend(prefix + line for line in _tail(path, num_lines))
    return tuple(lines[-num_lines:])


def without_events(lines: Iterable[str]) -> tuple[str, ...]:
    """The lines that are not an event of the engine's, as `engine.recorder` prints them beside recording them."""
    return tuple(line for line in lines if not _EVENT.match(line))


def console_stamp(attempt: Attempt) -> tuple[int, int]:
    """Changes whenever something was printed: newest change in nanoseconds and total bytes."""
    stats = [file_status(path) for path in _logs(attempt)]
    return (
        max((status.st_mtime_ns for status in stats), default=0),
        sum(status.st_size for status in stats),
    )


def _logs(attempt: Attempt) -> list[Path]:
    return [path for path in (attempt.console_file, *attempt.ranks_dir.glob("**/std*.log")) if is_file(path)]


def _written(path: Path) -> int:
    return file_status(path).st_mtime_ns


def _tail(path: Path, num_lines: int) -> list[str]:
    try:
        with open_file(path) as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL_BYTES))
            text = file.read(_TAIL_BYTES).decode("utf-8", errors="replace")
    except OSError:  # of another user, who keeps it to himself
        return []
    lines = text.split("\n")
    if size > _TAIL_BYTES:
        lines = lines[1:]  # the first one is cut
    if lines and not lines[-1]:
        lines.pop()
    return [line.rstrip("\r").rpartition("\r")[2] for line in lines[-num_lines:]]
