"""Times as a wall clock shows them; what a file says of them may be beyond every calendar."""

from __future__ import annotations

import time


def local_time(seconds: float, layout: str) -> str:
    """Unix seconds as `time.strftime` writes them; `?` when no calendar has such a time."""
    try:
        return time.strftime(layout, time.localtime(seconds))
    except (OverflowError, ValueError, OSError):
        return "?"
