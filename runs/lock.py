"""The lock of a run: whoever holds it is the run's supervisor, for as long as it lives."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from runs.folder import RunFolder

_RETRY_S = 0.02


class RunBusy(RuntimeError):
    """The run has a supervisor, or processes of it are alive; the text says which."""


def take_lock(folder: RunFolder, wait_s: float = 2.0) -> int | None:
    """Hold the run's lock until the returned descriptor is closed; None when another process has it.

    It waits a little, since `is_locked` of a reader holds a shared lock for some microseconds.
    """
    return hold(folder.lock_file, wait_s)


def hold(path: Path, wait_s: float) -> int | None:
    """Hold a lock file until the returned descriptor is closed; None when another process keeps it that long."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(descriptor)
                return None
            time.sleep(_RETRY_S)
        except BaseException:
            os.close(descriptor)
            raise
        else:
            return descriptor


@contextlib.contextmanager
def held_lock(folder: RunFolder) -> Iterator[None]:
    """Keep every supervisor out while something is done to a run. Raises RunBusy when one is there."""
    descriptor = take_lock(folder)
    if descriptor is None:
        raise RunBusy(f"{folder.id} has a supervisor at work; stop it first")
    try:
        yield
    finally:
        os.close(descriptor)


def is_locked(folder: RunFolder) -> bool:
    """Whether a supervisor holds the run's lock."""
    return is_held(folder.lock_file)


def is_held(path: Path) -> bool:
    """Whether somebody holds a lock file. Raises nothing; a lock that cannot be opened is not held.

    A shared lock is tried, because it works with nothing but read permission, everywhere that flock works,
    and in containers, where /proc/locks does not show the locks of another pid namespace. Readers do not
    disturb each other with it, and whoever wants to hold it tries again.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False
