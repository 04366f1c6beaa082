"""How much memory this process uses, and its device; and what it looks like when there is none left."""

from __future__ import annotations

import resource

import psutil
import torch


def memory_figures(device: torch.device) -> dict[str, float]:
    """Bytes by name; allocated, reserved and peak are the device's, host is this process's resident memory.

    On the CPU there is one memory: allocated is what is resident. The peak is that since the last call on CUDA,
    and that of the process on the CPU.
    """
    host = psutil.Process().memory_info().rss
    if device.type == "cuda":
        figures = {
            "memory_allocated_bytes": torch.cuda.memory_allocated(device),
            "memory_reserved_bytes": torch.cuda.memory_reserved(device),
            "memory_peak_bytes": torch.cuda.max_memory_allocated(device),
        }
        torch.cuda.reset_peak_memory_stats(device)
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        figures = {"memory_allocated_bytes": host, "memory_peak_bytes": peak}
    return {**{name: float(value) for name, value in figures.items()}, "host_memory_bytes": float(host)}


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device or the machine had no memory left; the CPU's allocator has no exception of its own."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
