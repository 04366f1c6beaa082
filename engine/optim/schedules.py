"""The schedules of the learning rate."""

from __future__ import annotations

import math

from presets.schema import OptimConfig


def learning_rate(config: OptimConfig, step: int, total_steps: int) -> float:
    """The rate of update number `step` (from 0) of `total_steps`.

    Warm-up grows linearly and reaches `lr` at its last step. After it, linear and cosine fall to
    `final_lr_ratio` · lr at the end; wsd stays and falls by 1 − √ of the decay's share (Hägele et al. 2024);
    inverse_sqrt goes on as √(warm-up / steps made), without an end in sight (Vaswani et al. 2017, 5.3).
    """
    warmup = round(config.warmup_ratio * total_steps)
    if step < warmup:
        return config.lr * (step + 1) / warmup
    if config.schedule == "inverse_sqrt":
        return config.lr * math.sqrt(max(warmup, 1) / (step + 1))
    factor = _factor(config, step, warmup, total_steps)
    return config.lr * (config.final_lr_ratio + (1.0 - config.final_lr_ratio) * factor)


def _factor(config: OptimConfig, step: int, warmup: int, total_steps: int) -> float:
    """How much of the way down to the final rate is left, from 1 to 0."""
    share = min(1.0, (step - warmup) / max(1, total_steps - warmup))
    if config.schedule == "linear":
        return 1.0 - share
    if config.schedule == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * share))
    if config.schedule == "wsd":
        decay = round(config.decay_ratio * total_steps)
        into_decay = min(step - (total_steps - decay), decay)
        return 1.0 - math.sqrt(into_decay / decay) if into_decay > 0 else 1.0
    return 1.0
