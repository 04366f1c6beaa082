"""Room on the disk."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


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
