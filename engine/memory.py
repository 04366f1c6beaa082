"""How much memory this process uses."""

from __future__ import annotations

import psutil
import torch


def memory_bytes(device: torch.device) -> int:
    """On CUDA the peak that torch allocated since the last call; on the CPU the process's resident memory."""
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        return int(peak)
    return int(psutil.Process().memory_info().rss)
