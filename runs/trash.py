"""The trash beside the runs: what is deleted lies there, and comes back, until a person empties it."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from runs.disk import bytes_under
from runs.folder import RunFolder
from runs.launch import refuse_live
from runs.lock import held_lock
from runs.ownership import require_ours
from runs.queue_entry import leave
from runs.safe_files import RUN_ID

TRASH = ".trash"

_DOOMED = ".purged-"  # no run is called that: what bears it never comes back, and the next emptying ends it


@dataclass(frozen=True)
class Trashed:
    """A deleted run. path: where it is now; `undelete_run` takes it. deleted: Unix seconds."""

    path: Path
    deleted: float

    @property
    def id(self) -> str:
        """The run's id, as it was before."""
        return self.path.name

    @property
    def folder(self) -> RunFolder:
        """Its folder in the trash, to be looked into."""
        return RunFolder(self.path)

    def num_bytes(self) -> int:
        """What its files take of the disk. Looks at each of them."""
        return bytes_under(self.path)


@dataclass(frozen=True)
class Emptied:
    """What came of it. num_bytes: freed. problems: sentences on why something is still there."""

    num_runs: int
    num_bytes: int
    problems: tuple[str, ...] = ()


def in_trash(runs: Path) -> tuple[Trashed, ...]:
    """The deleted runs of a folder of runs, the last deleted first. Follows no link; raises nothing."""
    found = [one for one in _folders(runs) if RUN_ID.fullmatch(one.path.name)]
    return tuple(sorted(found, key=lambda one: (one.deleted, one.path.name), reverse=True))


def half_purged(runs: Path) -> tuple[Path, ...]:
    """What is left of runs whose deletion for good was interrupted; the next `empty` ends it. Raises nothing."""
    return tuple(one.path for one in _folders(runs) if one.path.name.startswith(_DOOMED))


def delete_run(folder: RunFolder) -> Path:
    """Move a run into the trash beside the runs, and return where it is now; `undelete_run` brings it back.

    Raises RunBusy for a live run, ValueError for what is not a run's folder, OSError.
    """
    if folder.path.is_symlink() or not folder.path.is_dir() or not RUN_ID.fullmatch(folder.id):
        raise ValueError(f"{folder.path} is not the folder of a run")
    require_ours(folder)
    refuse_live(folder)
    trash = folder.path.parent / TRASH
    with contextlib.suppress(FileExistsError):
        trash.mkdir(mode=0o700)
    if trash.is_symlink() or not trash.is_dir():
        raise ValueError(f"{trash} is not a folder")
    target = trash / folder.id
    with held_lock(folder):
        leave(folder)  # one that comes back from the trash does not start by itself
        os.utime(folder.path)  # its time in the trash counts from here, also when we are killed after the rename
        folder.path.rename(target)
    os.utime(target)  # some file systems give a folder that moved another time
    return target


def undelete_run(trash: Path) -> RunFolder:
    """Bring a run back from the trash. Raises FileNotFoundError, FileExistsError, or ValueError."""
    _require_trashed(trash)
    target = trash.parent.parent / trash.name
    if target.exists() or target.is_symlink():
        raise FileExistsError(f"there is already a run {trash.name}")
    trash.rename(target)
    return RunFolder(target)


def empty(runs: Path, chosen: Iterable[Trashed], is_wanted: Callable[[], bool] = lambda: True) -> Emptied:
    """Delete those runs for good, and what an interrupted emptying left of others. Follows no link.

    A run is given another name before its first file goes: whenever this is killed, each run is either whole and
    can be brought back, or is no run any more. is_wanted: asked before each run; False ends it. What cannot be
    deleted, or is not ours, stays and is named in `problems`; nothing is raised.
    """
    num_runs = num_freed = 0
    problems: list[str] = []
    for path in (*half_purged(runs), *(one.path for one in chosen)):
        if not is_wanted():
            break
        is_whole = not path.name.startswith(_DOOMED)
        try:
            if is_whole:
                _require_trashed(path)
            else:
                require_ours(RunFolder(path))
            num_bytes = bytes_under(path)
            _remove(_doomed(path) if is_whole else path)
        except (OSError, ValueError) as error:
            problems.append(f"{path.name.removeprefix(_DOOMED)}: {_words(error)}")
        else:
            num_runs += is_whole
            num_freed += num_bytes
    return Emptied(num_runs, num_freed, tuple(problems))


def _folders(runs: Path) -> list[Trashed]:
    """Every folder in the trash, with its time; none when the trash is missing, closed to us, or a link."""
    trash = runs / TRASH
    found: list[Trashed] = []
    with contextlib.suppress(OSError):
        if not stat.S_ISDIR(os.lstat(trash).st_mode):
            return []
        with os.scandir(trash) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):  # somebody empties it, or brings it back
                    if entry.is_dir(follow_symlinks=False):
                        found.append(Trashed(Path(entry.path), entry.stat(follow_symlinks=False).st_mtime))
    return found


def _require_trashed(path: Path) -> None:
    """Raise ValueError when that is no run in the trash, ReadOnlyRun when it is not ours, FileNotFoundError."""
    trash = path.parent
    if trash.name != TRASH or trash.is_symlink() or path.is_symlink() or not RUN_ID.fullmatch(path.name):
        raise ValueError(f"{path} is not a run in the trash")
    if not path.is_dir():
        raise FileNotFoundError(f"{path.name} is not in the trash any more")
    require_ours(RunFolder(path))


def _doomed(path: Path) -> Path:
    """Make of a run in the trash what nobody can bring back; where that is."""
    doomed = path.with_name(f"{_DOOMED}{path.name}.{secrets.token_hex(4)}")
    path.rename(doomed)
    return doomed


def _remove(path: Path) -> None:
    """Delete a folder with all that is in it, together with whoever else does that. Raises OSError."""
    shutil.rmtree(path, onerror=_unless_gone)


def _unless_gone(what: object, path: str, raised: tuple[type[BaseException], Any, TracebackType]) -> None:
    if not isinstance(raised[1], FileNotFoundError):
        raise raised[1]


def _words(error: Exception) -> str:
    """Without the path, which the sentence begins with, where the system gives its reason by itself."""
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)
