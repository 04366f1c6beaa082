"""The estimate of a run's memory beside its measured peak, as a sentence."""

from __future__ import annotations

from runs.memory_check import MemoryCheck, check_memory
from runs.snapshot import RunSnapshot
from tui.figures import num_bytes


def memory_check(run: RunSnapshot) -> MemoryCheck | None:
    """None before the run has measured anything, or where its configuration cannot be read."""
    if run.config is None or run.started is None:
        return None
    return check_memory(run.config, run.started.device, run.memory_peak_bytes)


def memory_words(run: RunSnapshot) -> str:
    """`✓ estimated 503 MB, measured 443 MB at most`; empty before anything was measured."""
    check = memory_check(run)
    if check is None:
        return ""
    estimated, measured = num_bytes(check.estimated_bytes), num_bytes(check.measured_bytes)
    figures = f"estimated {estimated}, measured {measured} at most"
    if check.is_within:
        return f"✓ {figures}"
    side = "more" if check.measured_bytes > check.high_bytes else "less"
    return f"! {figures}, which is {side} than the estimate allows for"
