"""What takes longer to find out than a run's row: its size on disk, its settings, the last of every metric."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Mapping
from pathlib import Path

from presets.config import ConfigError, diff
from presets.fields import Value
from presets.schema import RunConfig
from runs.checkpoint_names import NAME
from runs.disk import bytes_under
from runs.folder import Attempt, RunFolder
from runs.records import last_records
from runs.safe_files import folder_names

_DEFAULTS = RunConfig()
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


def settings_of(folder: RunFolder) -> Mapping[str, Value]:
    """The fields in which the run differs from the defaults, by their dotted paths; none of a damaged file."""
    try:
        return {change.path: change.after for change in diff(_DEFAULTS, folder.config())}
    except (OSError, ConfigError):
        return {}


def last_figures(attempts: tuple[Attempt, ...]) -> Mapping[str, float]:
    """The newest value of every metric near the end of the newest attempt that recorded any."""
    for attempt in reversed(attempts):
        found: dict[str, float] = {}
        for record in last_records(attempt.metrics_file, _TAIL_BYTES):
            for name, value in record.items():
                if isinstance(value, int | float) and name not in _NOT_FIGURES:
                    with contextlib.suppress(OverflowError):  # a whole number beyond every float
                        found[name] = float(value)
        if found:
            return {name: value for name, value in found.items() if not math.isnan(value)}
    return {}
