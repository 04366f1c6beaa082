"""Forward and backward of a micro-batch as one CUDA graph: a small model's step is mostly launching kernels.

A graph replays the same kernels on the same memory. So a batch is copied into buffers that stay, and every shape
has a graph of its own. Before a graph is trusted it is compared with the step that it stands for.
"""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from engine.memory import is_out_of_memory

Replay = Callable[[], None]
Compute = Callable[[Any, tuple[Any, ...]], Tensor]
Made = TypeVar("Made")

_MOST_GRAPHS = 8  # a curriculum has more shapes than are worth their memory
_RELATIVE_ERROR = 1e-3  # kernels may sum in another order


class GraphMismatch(RuntimeError):
    """A call cannot be a graph, or its graph computes something else; graphs are not used any more."""


class Capture(Protocol):
    """Records what a call launches; `CudaCapture` on a GPU."""

    def __call__(self, compute: Callable[[], Made]) -> tuple[Replay, Made]:
        """The graph, and what the call gave: tensors that every replay writes anew. May make the call before."""
        ...


@dataclasses.dataclass
class _Graph:
    batch: Any
    counts: tuple[Tensor, ...]
    loss: Tensor
    replay: Replay


class GraphedPasses:
    """Calls `compute(batch, counts)`, which adds gradients in place and returns the loss, through graphs."""

    def __init__(self, compute: Compute, gradient: Tensor, capture: Capture) -> None:
        """gradient: the flat vector that backward adds to."""
        self._compute = compute
        self._gradient = gradient
        self._capture = capture
        self._graphs: dict[Any, _Graph] = {}

    def __call__(self, batch: Any, counts: tuple[float, ...]) -> Tensor:
        """The loss, () float32; valid until the next call.

        Raises GraphMismatch, with the gradient as it was.
        """
        key = _signature(batch)
        graph = self._graphs.get(key)
        if graph is None:
            if len(self._graphs) >= _MOST_GRAPHS:
                return self._compute(batch, counts)
            return self._first(key, batch, counts)
        for name, tensor in _tensors(batch).items():
            getattr(graph.batch, name).copy_(tensor, non_blocking=True)
        for static, count in zip(graph.counts, counts, strict=True):
            static.fill_(count)
        graph.replay()
        return graph.loss

    def clear(self) -> None:
        """Forget all graphs, and give their memory back."""
        self._graphs.clear()

    def _first(self, key: Any, batch: Any, counts: tuple[float, ...]) -> Tensor:
        """An eager call; then the graph of its shape, which has to give the same loss and gradient.

        Where they are not finite, as before fp16 has found its scale, there is nothing to compare, and no graph.
        """
        device, before = self._gradient.device, self._gradient.clone()
        random = _random_state(device)
        expected = self._compute(batch, counts).detach().clone()
        gradient = self._gradient - before
        size = torch.linalg.vector_norm(gradient)
        if not bool(torch.isfinite(size + expected)):
            return expected
        after, random_after = self._gradient.clone(), _random_state(device)
        static = dataclasses.replace(batch, **{name: tensor.clone() for name, tensor in _tensors(batch).items()})
        static_counts = tuple(torch.tensor(count, dtype=torch.float32, device=device) for count in counts)
        try:
            self._restore(before, random)
            replay, loss = captured(self._capture, lambda: self._compute(static, static_counts).detach())
            self._restore(before, random)
            replay()
            error = torch.linalg.vector_norm(self._gradient - before - gradient)
            is_same = bool(error <= _RELATIVE_ERROR * size + 1e-12)
            if not is_same or not torch.allclose(loss, expected, rtol=_RELATIVE_ERROR):
                raise GraphMismatch(
                    f"the CUDA graph of a step gives the loss {float(loss):.6g} and a gradient {float(error):.3g} "
                    f"away; the step itself {float(expected):.6g}, and a gradient of size {float(size):.3g}"
                )
        except BaseException:
            self._restore(before, random)
            raise
        self._restore(after, random_after)
        self._graphs[key] = _Graph(static, static_counts, loss, replay)
        return expected

    def _restore(self, gradient: Tensor, random: Tensor) -> None:
        self._gradient.copy_(gradient)
        if gradient.device.type == "cpu":
            torch.set_rng_state(random)
        else:
            torch.cuda.set_rng_state(random, gradient.device)


def captured(capture: Capture, compute: Callable[[], Made]) -> tuple[Replay, Made]:
    """Record a call. Raises GraphMismatch when it cannot be, torch.OutOfMemoryError when memory ran out."""
    try:
        return capture(compute)
    except RuntimeError as error:
        cause: BaseException | None = error
        while cause is not None:  # closing a capture that broke off raises an error of its own over the first one
            if is_out_of_memory(cause):
                raise cause from None
            cause = cause.__context__
        first = error.__context__ or error
        reason = (str(first).strip() or type(first).__name__).splitlines()[0]
        raise GraphMismatch(f"it cannot be captured: {reason}") from error


class CudaCapture:
    """Records calls as CUDA graphs, whose scratch shares one pool of memory.

    They never run at the same time, and what a graph returns is read before the next one runs; so no graph minds
    what the others left there. Never run on a device (docs/log.md).
    """

    def __init__(self) -> None:
        self._pool: Any = None
        self._alive: weakref.WeakSet[Any] = weakref.WeakSet()

    def __call__(self, compute: Callable[[], Made]) -> tuple[Replay, Made]:
        """See `Capture`: makes the call three times on a stream of its own before, as CUDA asks for."""
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                compute()
        torch.cuda.current_stream().wait_stream(stream)
        if not self._alive:  # a pool without graphs is given back, and must not be used again
            self._pool = torch.cuda.graph_pool_handle()
        graph = torch.cuda.CUDAGraph()
        try:
            # "global" would forbid other threads, such as NCCL's, to look at their events meanwhile
            with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
                made = compute()
        except BaseException:
            # the generator may still believe that it is captured, and refuse the next dropout; a copy does not.
            # Graphs from before know the old one, but after this none of them is used any more
            generator = torch.cuda.default_generators[torch.cuda.current_device()]
            generator.graphsafe_set_state(generator.clone_state())
            raise
        self._alive.add(graph)
        return graph.replay, made


def _random_state(device: torch.device) -> Tensor:
    return torch.get_rng_state() if device.type == "cpu" else torch.cuda.get_rng_state(device)


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
