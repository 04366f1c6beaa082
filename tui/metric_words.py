"""Metrics in words: what a recorded one is called, its unit and its values, alike in Compare and in the report."""

from __future__ import annotations

from collections.abc import Sequence

from tui.axes import short_number
from tui.safe_text import both_ends, safe_text

_UNITS = {
    "loss": "nats", "val_loss": "nats", "tokens_per_second": "tokens/s",
    "step_time_s": "s", "data_time_s": "s", "elapsed_s": "s",
    "memory_allocated_bytes": "bytes", "memory_peak_bytes": "bytes", "host_memory_bytes": "bytes",
}  # fmt: skip
_WORDS = {
    "loss": "train loss", "val_loss": "val loss", "lr": "learning rate", "grad_norm": "gradient norm",
    "val_bits_per_byte": "bits per byte", "val_accuracy": "accuracy", "tokens_per_second": "speed",
    "step_time_s": "time of a step", "data_time_s": "time for data", "memory_peak_bytes": "peak memory",
    "memory_allocated_bytes": "memory held", "host_memory_bytes": "memory of the machine",
    "samples_per_second": "samples/s", "flops_per_second": "FLOP/s",
}  # fmt: skip
_FIRST = ("loss", "val_loss", "val_bits_per_byte", "val_accuracy", "lr", "grad_norm", "tokens_per_second")


def metric_words(name: str) -> str:
    """A metric with its unit, as the chart's title has it."""
    words = _WORDS.get(name) or both_ends(name, 40).replace("_", " ")
    unit = _UNITS.get(name)
    return f"{words} ({unit})" if unit else words


def own_name(name: str) -> str:
    """By which a metric is recorded, where its words are others; empty where they are the same."""
    return safe_text(name, 60) if name in _WORDS else ""


def metric_value(value: float | None) -> str:
    """A figure of a metric, short."""
    if value is None:
        return "-"
    if value != value:
        return "not finite"
    return f"{value:.4f}" if 0.01 <= abs(value) < 100 else short_number(value)


def in_order(names: Sequence[str]) -> tuple[str, ...]:
    """Metrics in the order in which one looks at them."""
    known = [name for name in _FIRST if name in names]
    return (*known, *sorted(name for name in names if name not in known))
