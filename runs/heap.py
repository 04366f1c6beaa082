"""Gives memory that was used once back to the system."""

from __future__ import annotations

import contextlib


def give_back_memory() -> None:
    """Let the system have what nobody uses any more: the C library would keep most of it for this process."""
    import ctypes  # seldom wanted, and not light

    with contextlib.suppress(OSError, AttributeError):  # only glibc can
        ctypes.CDLL(None).malloc_trim(0)
