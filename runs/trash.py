"""What lies in the trash beside the runs, and can be brought back."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from runs.folder import RunFolder
from runs.launch import TRASH
from runs.safe_files import RUN_ID


@dataclass(frozen=True)
class Trashed:
    """A deleted run. path: where it is now; `launch.undelete_run` takes it. deleted: Unix seconds."""

    path: Path
    deleted: float

    @property
    def folder(self) -> RunFolder:
        """Its folder in the trash, to be looked into."""
        return RunFolder(self.path)


def in_trash(runs: Path) -> tuple[Trashed, ...]:
    """The deleted runs of a folder of runs, the last deleted first. Follows no link; raises nothing."""
    trash = runs / TRASH
    found: list[Trashed] = []
    with contextlib.suppress(OSError):
        if not stat.S_ISDIR(os.lstat(trash).st_mode):
            return ()
        with os.scandir(trash) as entries:
            for entry in entries:
                if RUN_ID.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                    found.append(Trashed(Path(entry.path), entry.stat(follow_symlinks=False).st_mtime))
    return tuple(sorted(found, key=lambda one: (one.deleted, one.path.name), reverse=True))
