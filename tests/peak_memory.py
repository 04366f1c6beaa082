"""The most memory that this process has held."""

from __future__ import annotations

from pathlib import Path


def peak_bytes() -> int:
    """Its own peak: `ru_maxrss` of a child begins with what its parent held when it forked."""
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    raise OSError("/proc/self/status names no VmHWM")
