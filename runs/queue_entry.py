"""A run's place in the queue: `queue.json` in its folder while it waits, and the lock over all places."""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from runs.folder import RunFolder, read_struct, write_atomically
from runs.lock import hold, is_locked
from runs.ownership import require_ours
from runs.processes import ProcessIdentity, is_alive

LOCK_WAIT_S = 10.0

# what decides where a run finds its devices and data, and holds no secret: it must not depend on who revives it
_KEPT = re.compile(
    r"(CUDA|HIP|ROCR)_VISIBLE_DEVICES|CUDA_DEVICE_ORDER|TINYTRAIN_CACHE|HF_(HOME|ENDPOINT|HUB_OFFLINE|HUB_CACHE|DATASETS_CACHE"
    r"|DATASETS_OFFLINE)|OMP_\w+|NCCL_\w+|GLOO_\w+|TORCH_\w+|PYTORCH_\w+"
)


class QueueEntry(msgspec.Struct, frozen=True):
    """`queue.json`: the wish to run when devices are free.

    order: lower is sooner. since: Unix seconds. host: the machine whose devices it waits for. resume: the
    checkpoint to go on from. num_processes: other than configured, or 0. owner: the folder that waits, by its
    name and inode, so that a copy of it does not wait too. after: the attempt that was the newest when it began
    to wait. environment: the variables of whoever queued it that say where devices and data are.
    """

    order: float
    since: float
    host: str
    resume: str = ""
    num_processes: int = 0
    owner: str = ""
    after: int = 0
    environment: dict[str, str] = {}


def read_entry(folder: RunFolder) -> QueueEntry | None:
    """How the run waits, or None when it does not; never raises."""
    entry = read_struct(folder.queue_file, QueueEntry)
    if entry is None or not math.isfinite(entry.order) or entry.owner != owner_of(folder):
        return None
    return entry


def write_entry(folder: RunFolder, entry: QueueEntry) -> None:
    """Replace the run's place in the queue; hold the queue's lock. Raises OSError."""
    write_atomically(folder.queue_file, msgspec.json.format(msgspec.json.encode(entry)))


def leave(folder: RunFolder) -> bool:
    """Give up the run's place, if it has one; whether it had. Raises OSError when it cannot be given up."""
    try:
        folder.queue_file.unlink()
    except FileNotFoundError:
        return False
    return True


def owner_of(folder: RunFolder) -> str:
    """Names a folder for good: a copy, or another run of its name, has another inode. Empty when it is gone."""
    try:
        return f"{folder.id}.{folder.path.stat(follow_symlinks=False).st_ino:x}"
    except OSError:
        return ""


def kept_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Of an environment, the variables that go with the run while it waits."""
    return {name: value for name, value in sorted(environment.items()) if _KEPT.fullmatch(name)}


def environment_of(entry: QueueEntry, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment in which a waiting run is started, by whomever: its own variables before the caller's."""
    others = {name: value for name, value in environment.items() if not _KEPT.fullmatch(name)}
    return others | kept_environment(entry.environment)


def lock_file(runs: Path) -> Path:
    """What `queue_lock` holds. Each user has one, since nobody can open that of another."""
    return runs / f".queue-{os.geteuid()}.lock"


@contextlib.contextmanager
def queue_lock(runs: Path, wait_s: float = LOCK_WAIT_S) -> Iterator[None]:
    """Decide alone who is next, and on which devices. Raises TimeoutError when others do not let go, OSError.

    Alone among the processes of this user: another's runs are closed to us, so that a lock in common has no use.
    """
    path = lock_file(runs)
    descriptor = hold(path, wait_s)
    if descriptor is None:
        raise TimeoutError(f"another process does not let go of {path}; try again")
    try:
        yield
    finally:
        os.close(descriptor)


def is_waiting(folder: RunFolder) -> bool:
    """Whether the run has a place in the queue, and its supervisor, if there is one, has not begun with it."""
    entry = read_entry(folder)
    if entry is None:
        return False
    state = read_struct(folder.state_file, _Doing)
    # a supervisor that has the lock and has not written anything yet stands behind an older state.json
    has_begun = state is not None and state.state != "queued" and is_alive(state.supervisor)
    return not (has_begun and is_locked(folder))


def withdraw(folder: RunFolder) -> bool:
    """Take a run out of the queue; False when it does not wait, or has begun already.

    Its supervisor goes away by itself. Raises ReadOnlyRun, TimeoutError, OSError.
    """
    if read_entry(folder) is None:
        return False
    require_ours(folder)
    with queue_lock(folder.path.parent):
        return is_waiting(folder) and leave(folder)


class _Doing(msgspec.Struct, frozen=True):
    """What `state.json` says of the supervisor; the whole of it is StateRecord, which knows of queues."""

    state: str
    supervisor: ProcessIdentity
