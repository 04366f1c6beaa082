"""Forward and backward of a micro-batch as one CUDA graph: a small model's step is mostly launching kernels.

A graph replays the same kernels on the same memory. So a batch is copied into buffers that stay, and every shape
has a graph of its own. Before a graph is trusted it is compared with the step that it stands for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Replay = Callable[[], None]
Capture = Callable[[Callable[[], Tensor]], tuple[Replay, Tensor]]
Compute = Callable[[Any, tuple[Any, ...]], Tensor]

_MOST_GRAPHS = 8  # a curriculum has more shapes than are worth their memory
_RELATIVE_ERROR = 1e-3  # kernels may sum in another order


class GraphMismatch(RuntimeError):
    """A graph does not compute what its step computes; graphs are not used any more."""


@dataclasses.dataclass
class _Graph:
    batch: Any
    counts: tuple[Tensor, ...]
    loss: Tensor
    replay: Replay


class GraphedPasses:
    """Calls `compute(batch, counts)`, which adds gradients in place and returns the loss, through graphs."""

    def __init__(self, compute: Compute, gradient: Tensor, capture: Capture) -> None:
        """gradient: the flat vector that backward adds to. capture: records a call; `capture_cuda` on a GPU."""
        self._compute = compute
        self._gradient = gradient
        self._capture = capture
        self._graphs: dict[Any, _Graph] = {}

    def __call__(self, batch: Any, counts: tuple[float, ...]) -> Tensor:
        """The loss, () float32; valid until the next call. Raises GraphMismatch, with the gradient as it was."""
        key = _signature(batch)
        graph = self._graphs.get(key)
        if graph is None:
            if len(self._graphs) >= _MOST_GRAPHS:
                return self._compute(batch, counts)
            graph = self._graphs[key] = self._record(batch, counts)
        for name, tensor in _tensors(batch).items():
            getattr(graph.batch, name).copy_(tensor, non_blocking=True)
        for static, count in zip(graph.counts, counts, strict=True):
            static.fill_(count)
        graph.replay()
        return graph.loss

    def _record(self, batch: Any, counts: tuple[float, ...]) -> _Graph:
        """Capture this shape's graph, and see that it gives the loss and the gradient of the eager call."""
        device, before = self._gradient.device, self._gradient.clone()
        random = torch.get_rng_state() if device.type == "cpu" else torch.cuda.get_rng_state(device)
        static = dataclasses.replace(batch, **{name: tensor.clone() for name, tensor in _tensors(batch).items()})
        static_counts = tuple(torch.tensor(count, dtype=torch.float32, device=device) for count in counts)
        try:
            expected = self._compute(batch, counts).detach().clone()
            gradient = self._gradient - before
            self._restore(before, random)
            replay, loss = self._capture(lambda: self._compute(static, static_counts))
            self._restore(before, random)
            replay()
            replayed = self._gradient - before
            is_same = torch.allclose(loss, expected, rtol=_RELATIVE_ERROR)
            error = torch.linalg.vector_norm(replayed - gradient)
            is_same &= bool(error <= _RELATIVE_ERROR * torch.linalg.vector_norm(gradient) + 1e-12)
        finally:
            self._restore(before, random)
        if not is_same:
            raise GraphMismatch(f"the CUDA graph's gradient is {float(error):.3g} away from that of the same step")
        return _Graph(static, static_counts, loss, replay)

    def _restore(self, gradient: Tensor, random: Tensor) -> None:
        self._gradient.copy_(gradient)
        if gradient.device.type == "cpu":
            torch.set_rng_state(random)
        else:
            torch.cuda.set_rng_state(random, gradient.device)


def capture_cuda(compute: Callable[[], Tensor]) -> tuple[Replay, Tensor]:
    """Record a call as a CUDA graph, after three calls on a stream of their own, as CUDA asks for.

    Never run on a device (docs/log.md).
    """
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            compute()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = compute()
    return graph.replay, loss.detach()


def _tensors(batch: Any) -> dict[str, Tensor]:
    values = {field.name: getattr(batch, field.name) for field in dataclasses.fields(batch)}
    return {name: value for name, value in values.items() if isinstance(value, Tensor)}


def _signature(batch: Any) -> tuple[Any, ...]:
    """What a graph depends on: shapes and types of the tensors, and every other value itself."""
    return tuple(
        (field.name, (value.shape, value.dtype) if isinstance(value, Tensor) else value)
        for field in dataclasses.fields(batch)
        for value in (getattr(batch, field.name),)
    )
