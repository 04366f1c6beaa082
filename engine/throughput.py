"""How much arithmetic a step is, and how fast this device multiplies matrices: their ratio is utilisation."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from presets.flops import num_predictions, sequence_flops
from presets.schema import RunConfig

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_SQUARE = {"cpu": 1024, "cuda": 8192}
_LARGEST_BYTES = 256_000_000  # of one matrix; larger ones are cut, their speed is the same
_BUDGET_S = 0.04  # for each shape, and at least two products


@dataclass(frozen=True)
class MatmulSpeed:
    """flops_per_second of (m, k) times (k, n), and the shape (m, k, n) that reached it."""

    flops_per_second: float
    shape: tuple[int, int, int]

    def __str__(self) -> str:
        rows, inner, columns = self.shape
        return f"{self.flops_per_second / 1e9:,.0f} GFLOP/s, at {rows:,} × {inner:,} × {columns:,}"


@dataclass(frozen=True)
class Throughput:
    """What a run's steps are measured by. global_batch: sequences; peak: of one process's device."""

    config: RunConfig
    vocab_size: int
    num_labels: int
    global_batch: int
    num_processes: int
    matmul: MatmulSpeed

    @property
    def peak_flops_per_second(self) -> float:
        """What all processes reach in matrix products alone."""
        return self.matmul.flops_per_second * self.num_processes

    def flops_per_step(self, length: int) -> float:
        """Forward and backward of a global batch of full sequences of `length` tokens: see `sequence_flops`."""
        return float(self.global_batch * sequence_flops(self.config, self.vocab_size, length, self.num_labels))


def measure_throughput(
    config: RunConfig,
    vocab_size: int,
    device: torch.device,
    precision: str,
    *,
    global_batch: int,
    num_processes: int = 1,
    num_labels: int = 0,
) -> Throughput:
    """Takes under a second. num_processes: that share the global batch, each with a device like this one."""
    matmul = measure_matmul(device, precision, (largest_product(config, vocab_size), square_product(device)))
    return Throughput(config, vocab_size, num_labels, global_batch, num_processes, matmul)


def measure_matmul(device: torch.device, precision: str, shapes: tuple[tuple[int, int, int], ...]) -> MatmulSpeed:
    """The fastest of some products (m, k, n), in the run's own precision and with its threads.

    A square one shows what the device can do, the model's largest what it can do at this size; whichever is faster
    is the bar. The least of several times: another program's load lengthens times, it never shortens them.
    """
    speeds = [MatmulSpeed(2.0 * m * k * n / _seconds(m, k, n, device, precision), (m, k, n)) for m, k, n in shapes]
    return max(speeds, key=lambda speed: speed.flops_per_second)


def largest_product(config: RunConfig, vocab_size: int) -> tuple[int, int, int]:
    """Shape (m, k, n) of the largest product of one micro-batch: a feed-forward matrix, or the head."""
    batch, length, hidden = config.train.batch_size, config.data.sequence_length, config.model.hidden_size
    inner = (batch * length, hidden, max(config.model.feed_forward_size, 3 * hidden))
    head = (batch * num_predictions(config, length), hidden, vocab_size)
    rows, shared, columns = max(inner, head, key=lambda shape: shape[0] * shape[2])
    return min(rows, max(1, _LARGEST_BYTES // (4 * max(shared, columns)))), shared, columns


def square_product(device: torch.device) -> tuple[int, int, int]:
    """Large enough to be limited by arithmetic, small enough to be quick."""
    size = _SQUARE["cuda" if device.type == "cuda" else "cpu"]
    return size, size, size


def _seconds(m: int, k: int, n: int, device: torch.device, precision: str) -> float:
    dtype = _DTYPES[precision]
    left, right = (torch.full(shape, 0.5, device=device, dtype=dtype) for shape in ((m, k), (n, k)))
    out = torch.empty(m, n, device=device, dtype=dtype)
    best, started = float("inf"), time.perf_counter()
    _multiply(left, right, out)  # the first call chooses kernels
    while True:
        before = time.perf_counter()
        _multiply(left, right, out)
        now = time.perf_counter()
        best = min(best, now - before)
        if now - started > _BUDGET_S:
            return best


def _multiply(left: Tensor, right: Tensor, out: Tensor) -> None:
    torch.mm(left, right.T, out=out)
    if left.is_cuda:
        torch.cuda.synchronize(left.device)
