"""The end of what a run's processes printed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from runs.folder import Attempt
from runs.safe_files import file_status, is_file, open_file

_TAIL_BYTES, _MOST_TAIL_BYTES = 64 << 10, 64 << 20
_EVENT = re.compile(r'(rank \d+: )?\d\d:\d\d:\d\d step \d+ \{"kind": "')
_RANK = re.compile(r"/(\d+)/std(?:out|err)\.log$")


def tail_console(attempt: Attempt, num_lines: int) -> tuple[str, ...]:
    """The last lines of `console.log` and of every rank's files, those written last at the end.

    As much of the end of each file is read as has so many lines, 64 MB at most. Of a line that was overwritten
    with carriage returns, as progress bars do, the last state is kept. Lines of several ranks begin with
    `rank N: `.
    """
    files = sorted(logs_of(attempt), key=_written)
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


def logs_of(attempt: Attempt) -> list[Path]:
    """`console.log` and every rank's files, as far as they are there."""
    return [path for path in (attempt.console_file, *attempt.ranks_dir.glob("**/std*.log")) if is_file(path)]


def rank_of(path: Path) -> int | None:
    """Whose file that is; None of `console.log`."""
    match = _RANK.search(str(path))
    return int(match[1]) if match else None


def _written(path: Path) -> int:
    return file_status(path).st_mtime_ns


def _tail(path: Path, num_lines: int) -> list[str]:
    try:
        with open_file(path) as file:
            size = file.seek(0, 2)
            num_bytes = _TAIL_BYTES
            while True:
                file.seek(max(0, size - num_bytes))
                text = file.read(num_bytes).decode("utf-8", errors="replace")
                if num_bytes >= min(size, _MOST_TAIL_BYTES) or text.count("\n") > num_lines:
                    break
                num_bytes *= 8
    except OSError:  # of another user, who keeps it to himself
        return []
    lines = text.split("\n")
    if size > num_bytes:
        lines = lines[1:]  # the first one is cut
    if lines and not lines[-1]:
        lines.pop()
    return [line.rstrip("\r").rpartition("\r")[2] for line in lines[-num_lines:]]
