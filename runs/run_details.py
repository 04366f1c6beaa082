"""What takes longer to find out than a run's row: its size on disk, the last of every metric."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Mapping
from pathlib import Path

from runs.checkpoint_names import NAME
from runs.disk import bytes_under
from runs.folder import Attempt, RunFolder
from runs.records import last_records
from runs.safe_files import folder_names

_TAIL_BYTES = 32 << 10
_NOT_FIGURES = frozenset({"seq", "time"})


def sizes_of(folder: RunFolder) -> tuple[int, int, int]:
    """Bytes of a run's files, how many of them are in checkpoints, and how many checkpoints there are."""
    total = checkpoints = 0
    with contextlib.suppress(OSError), os.scandir(folder.path) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if not entry.is_dir(follow_symlinks=False):
                    total += entry.stat(follow_symlinks=False).st_size
                    continue
                num_bytes = bytes_under(Path(entry.path))
                total += num_bytes
                checkpoints += num_bytes if entry.name == folder.checkpoints_dir.name else 0
    names = (name for name in folder_names(folder.checkpoints_dir) if NAME.fullmatch(name))
    return total, checkpoints, sum(1 for _ in names)


def last_figures(attempts: tuple[Attempt, ...]) -> Mapping[str, float]:
    """The newest value of every metric near the end of the newest attempt that recorded any."""
    for attempt in reversed(attempts):
        found: dict[str, float] = {}
        known = set(_NOT_FIGURES)
        for record in reversed(last_records(attempt.metrics_file, _TAIL_BYTES)):
            if record.keys() <= known:  # as nearly all are: a look at each value would take most of the time
                continue
            for name, value in record.items():
                if name not in known and isinstance(value, int | float):
                    with contextlib.suppress(OverflowError):  # a whole number beyond every float
                        found[name] = float(value)
                        known.add(name)
        if found:
            return {name: value for name, value in found.items() if not math.isnan(value)}
    return {}
