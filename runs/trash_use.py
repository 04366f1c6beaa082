"""What the trash takes of the disk, counted in small pieces, and each run once."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from runs.disk import bytes_under
from runs.trash import TRASH, half_purged, in_trash

_SETTLED_NS = 2_000_000_000


@dataclass(frozen=True)
class TrashUse:
    """num_runs: that can come back. num_bytes: of all that lies there. is_counted: False while more is found."""

    num_runs: int = 0
    num_bytes: int = 0
    is_counted: bool = True


class TrashMeter:
    """Remembers how large each deleted run is: nothing in the trash grows."""

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self._sizes: dict[Path, int | None] = {}
        self._use = TrashUse()
        self._listed_ns = self._listed_at_ns = -1

    def poll(self, within_s: float) -> TrashUse:
        """What is known by then; a look at a trash in which nothing changed costs one `stat`."""
        self._list()
        if not self._use.is_counted:
            deadline = time.monotonic() + within_s
            for path, size in self._sizes.items():
                if size is None:
                    self._sizes[path] = bytes_under(path)
                    if time.monotonic() > deadline:
                        break
            self._sum_up(self._use.num_runs)
        return self._use

    def _list(self) -> None:
        try:
            changed_ns = os.lstat(self._runs / TRASH).st_mtime_ns
        except OSError:
            changed_ns = 0
        if changed_ns == self._listed_ns and changed_ns < self._listed_at_ns - _SETTLED_NS:
            return
        self._listed_ns, self._listed_at_ns = changed_ns, time.time_ns()
        whole, left = in_trash(self._runs), half_purged(self._runs)
        paths = (*(one.path for one in whole), *left)
        self._sizes = {path: None if path in left else self._sizes.get(path) for path in paths}
        self._sum_up(len(whole))

    def _sum_up(self, num_runs: int) -> None:
        sizes = [size for size in self._sizes.values() if size is not None]
        self._use = TrashUse(num_runs, sum(sizes), len(sizes) == len(self._sizes))
