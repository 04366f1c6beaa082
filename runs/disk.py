"""Room on the disk."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_UNITS = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def bytes_under(path: Path) -> int:
    """Bytes of all files below a folder; what vanishes meanwhile counts nothing, links are not followed."""
    total = 0
    with contextlib.suppress(OSError), os.scandir(path) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    total += bytes_under(Path(entry.path))
                else:
                    total += entry.stat(follow_symlinks=False).st_size
    return total


def is_full(error: OSError) -> bool:
    """Whether a write failed for lack of room: the disk is full, a quota is used up, a file is at its limit."""
    return error.errno in _FULL


def free_bytes(path: Path) -> int | None:
    """What this user can still write on the disk that holds the path, quotas aside; None when nobody can tell."""
    try:
        return shutil.disk_usage(path).free
    except OSError:
        return None


def require_room(path: Path, num_bytes: int, margin: float) -> None:
    """Refuse to begin what would not fit. margin: free room that it needs, in its own size.

    Raises OSError (no space left) with the figures; nothing when nobody can tell what is free.
    """
    free = free_bytes(path)
    if free is not None and free < margin * num_bytes:
        message = f"it takes {room(num_bytes)} and needs {margin:g} times that free, and {room(free)} are"
        raise OSError(errno.ENOSPC, message)


def room(num_bytes: int) -> str:
    """`512 bytes`, `92 MB`, `1.4 GB`."""
    for size, unit in _UNITS:
        if num_bytes >= size:
            value = num_bytes / size
            return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
    return f"{num_bytes} bytes"
