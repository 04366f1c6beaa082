"""The optimizer's update as a CUDA graph: for a small model it is a few dozen kernels of hardly any work."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.cuda_graphs import Capture, GraphMismatch, Replay, captured
from engine.optim import Optimizer, UpdateFigures

LARGEST = 2**26  # parameters; with more, the kernels take longer than launching them
_RELATIVE_ERROR = 1e-3


@dataclass(frozen=True)
class _Copy:
    """All that an update reads and writes, on the CPU, so that a device has room. judged, gradient: (N,)."""

    judged: Tensor
    gradient: Tensor
    state: dict[str, Tensor]


class GraphedUpdate:
    """Calls `optimizer.update()` through a graph; the rate is set before, as its buffer is read anew each time."""

    def __init__(self, optimizer: Optimizer, capture: Capture) -> None:
        self._optimizer = optimizer
        self._capture = capture
        self._graph: tuple[Replay, UpdateFigures] | None = None

    def __call__(self) -> UpdateFigures:
        """One update, without its ratio; the figures are valid until the next call.

        The first one is eager, and the graph has to change weights and state in the same way; a gradient that is
        not finite leaves that to the next call. Raises GraphMismatch, with everything as it was.
        """
        if self._graph is None:
            return self._first()
        replay, figures = self._graph
        replay()
        return figures

    def _first(self) -> UpdateFigures:
        before = _copied(self._optimizer)
        eager = self._optimizer.update()
        if bool(eager.skipped > 0):
            return eager
        expected = _copied(self._optimizer)
        try:
            _restore(self._optimizer, before)
            replay, figures = captured(self._capture, self._optimizer.update)
            _restore(self._optimizer, before)
            replay()
            _check(before, expected, _copied(self._optimizer))
        except torch.OutOfMemoryError as error:
            _restore(self._optimizer, before)
            raise GraphMismatch("there is no memory to capture the update") from error
        except BaseException:
            _restore(self._optimizer, before)
            raise
        _restore(self._optimizer, expected)
        self._graph = replay, figures
        return eager


def _copied(optimizer: Optimizer) -> _Copy:
    state = optimizer.state()
    with optimizer.judged():
        weight, gradient = (part.to("cpu", copy=True) for part in (optimizer.flat.weight, optimizer.flat.gradient))
    return _Copy(weight, gradient, state)


def _restore(optimizer: Optimizer, copy: _Copy) -> None:
    """As from a checkpoint: `load_state` wants the judged weights in the model, and puts the raw ones back."""
    optimizer.flat.weight.copy_(copy.judged)
    optimizer.flat.gradient.copy_(copy.gradient)
    optimizer.load_state(copy.state)


def _check(before: _Copy, expected: _Copy, replayed: _Copy) -> None:
    """Raises GraphMismatch unless everything changed as expected, a small part of the change aside."""
    changes = {
        "the weights": (before.judged, expected.judged, replayed.judged),
        "the gradient": (before.gradient, expected.gradient, replayed.gradient),
        **{name: (before.state[name], expected.state[name], replayed.state[name]) for name in before.state},
    }
    for name, (start, wanted, found) in changes.items():
        change = torch.linalg.vector_norm(wanted.double() - start.double())
        error = torch.linalg.vector_norm(found.double() - wanted.double())
        if not bool(error <= _RELATIVE_ERROR * change + 1e-12):
            raise GraphMismatch(
                f"the CUDA graph of an update changes {name} otherwise: {float(error):.3g} away, where the update "
                f"itself changes it by {float(change):.3g}"
            )
