"""Promises 3, 6 and 7: runs outlive everything around them, end wholly when they must, and hit no stranger."""

from __future__ import annotations

from pathlib import Path

from tests.faults.figures import Figure, Scale
from tests.faults.process_forgeries import measure_forgeries
from tests.faults.process_kills import measure_kills
from tests.faults.process_survival import measure_survival


def measure(folder: Path, scale: Scale) -> list[Figure]:
    """See the three parts."""
    return [
        *measure_survival(folder / "survival", scale),
        *measure_kills(folder / "kills", scale),
        *measure_forgeries(folder / "forgeries", scale),
    ]
