"""What a training record says: loss and gradients, speed, memory, and where the schedules stand."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from engine.curriculum import sequence_length
from engine.data.masking import mask_rate_at
from engine.memory import memory_figures
from engine.preparation import Prepared
from engine.window import Stopwatch, WindowSums

MOST_RANKS = 64


def training_figures(
    run: Prepared, sums: WindowSums, stopwatch: Stopwatch, step: int, share: float, lr: float, ratio: Tensor | None
) -> dict[str, float]:
    """Of the window that ends with this step. lr: of its last update. ratio: ‖Δw‖ / ‖w‖ of that update.

    share: of the run's steps, before the last update. Means are those of the updates that were made.
    """
    config = run.config
    num_steps = stopwatch.num_steps(step)  # steps of this attempt, fewer than the window's after a resume
    elapsed = stopwatch.elapsed_s()
    figures = {
        "loss": sums.loss / sums.made if sums.made else math.nan,
        "lr": lr,
        "grad_norm": sums.norm / sums.made if sums.made else math.nan,
        "update_ratio": float(ratio) if ratio is not None else math.nan,
        "skipped_updates": sums.skipped,
        "tokens_per_second": stopwatch.tokens / elapsed,
        "samples_per_second": num_steps * run.global_batch / elapsed,
        "step_time_s": elapsed / num_steps,
        "data_time_s": stopwatch.data_s / num_steps,
    }
    if run.throughput is not None:
        flops = run.throughput.flops_per_step(sequence_length(config, share)) * num_steps / elapsed
        figures |= {"flops_per_second": flops, "utilisation": flops / run.throughput.peak_flops_per_second}
    if config.objective.has_masks and config.objective.mask_rate_end:
        figures["mask_rate"] = mask_rate_at(config.objective, share)
    if config.curriculum.start_length:
        figures["sequence_length"] = sequence_length(config, share)
    return {**figures, **memory_figures(run.model.head_bias.device)}


def rank_figures(seconds_by_rank: Sequence[float]) -> dict[str, float]:
    """Each rank's mean seconds of computing a step, waiting left out; nothing of a run of one process.

    Past MOST_RANKS only the fastest and the slowest, since every figure is a column of its own.
    """
    if len(seconds_by_rank) < 2:
        return {}
    if len(seconds_by_rank) > MOST_RANKS:
        return {"step_time_s_fastest": min(seconds_by_rank), "step_time_s_slowest": max(seconds_by_rank)}
    return {f"step_time_s_rank{rank}": seconds for rank, seconds in enumerate(seconds_by_rank)}
