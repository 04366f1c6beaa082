"""Which arithmetic a run uses; `auto` measures whether bf16 pays at the model's size on this device."""

from __future__ import annotations

import contextlib
import time
from typing import Literal

import torch
from torch import Tensor

from presets.schema import RunConfig

Precision = Literal["fp32", "bf16", "fp16"]
_LEAST_CPU_HIDDEN = 256
_LEAST_GAIN = 1.15  # rounding is a price; a smaller gain does not pay it
_TRIALS = 7


def choose_precision(config: RunConfig, device: torch.device) -> tuple[Precision, str]:
    """The precision and a sentence on why."""
    asked = config.train.precision
    if asked != "auto":
        return asked, f"{asked}, as configured"
    if device.type == "cuda" and not torch.cuda.is_bf16_supported():
        return "fp32", "fp32: this GPU has no bf16"
    if device.type == "cpu" and config.model.hidden_size < _LEAST_CPU_HIDDEN:
        return "fp32", f"fp32: below hidden size {_LEAST_CPU_HIDDEN} bf16 never pays on a CPU"
    gain = _gain(config, device)
    chosen: Precision = "bf16" if gain >= _LEAST_GAIN else "fp32"
    return chosen, f"{chosen}: on this device bf16 is {gain:.1f} times as fast as fp32 at this size"


def autocast(precision: Precision, device: torch.device) -> contextlib.AbstractContextManager[object]:
    """The context in which forward passes run; weights stay fp32."""
    if precision == "fp32":
        return contextlib.nullcontext()
    dtype = torch.bfloat16 if precision == "bf16" else torch.float16
    return torch.autocast(device.type, dtype, cache_enabled=False)


def _gain(config: RunConfig, device: torch.device) -> float:
    """How many times as fast bf16 is in one feed-forward part, forward and backward, at the run's own sizes.

    Least times of alternating trials: another program's load lengthens times, it never shortens them.
    """
    model = config.model
    generator = torch.Generator().manual_seed(0)
    tokens = min(4096, config.train.batch_size * config.data.sequence_length)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(device).requires_grad_()

    inputs = draw(tokens, model.hidden_size)
    up, down = draw(model.feed_forward_size, model.hidden_size), draw(model.hidden_size, model.feed_forward_size)

    def seconds(precision: Precision) -> float:
        _synchronise(device)
        started = time.perf_counter()
        with autocast(precision, device):
            inner = torch.nn.functional.gelu(torch.nn.functional.linear(inputs, up))
            outputs = torch.nn.functional.linear(inner, down)
        outputs.float().sum().backward()  # type: ignore[no-untyped-call]
        _synchronise(device)
        return time.perf_counter() - started

    trials = [(seconds("fp32"), seconds("bf16")) for _ in range(_TRIALS)]
    return min(fp32 for fp32, _ in trials) / min(bf16 for _, bf16 in trials)


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
