"""What an optimisation algorithm is to the optimizer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

_CPU_PIECE, _DEVICE_PIECE = 2**16, 2**24


@dataclass(frozen=True)
class UpdateInputs:
    """What one update goes by; all on the device, so that nobody waits for it.

    rate: () learning rate. divisor: () what the gradient is still to be divided by, for clipping and the loss
    scale, or None. skipped: () 1 when the gradient is not finite, else 0. count: () updates made, with this one
    unless it is skipped. All float32.
    """

    rate: Tensor
    divisor: Tensor | None
    skipped: Tensor
    count: Tensor


class Algorithm(Protocol):
    """Changes a part of the flat weights by the same part of the flat gradient."""

    def update(self, inputs: UpdateInputs) -> None:
        """One update in place; may use the gradient up. When skipped, weights and moments stay bit for bit."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """Live views of the state by the name it is saved under, `<moment>.<parameter>`."""
        ...


def pieces(vector: Tensor, part: slice) -> Iterator[slice]:
    """Cut a part of a flat vector, so that an update's scratch stays in a CPU's cache, or at 64 MB on a GPU."""
    at_once = _CPU_PIECE if vector.is_cpu else _DEVICE_PIECE
    for first in range(part.start, part.stop, at_once):
        yield slice(first, min(first + at_once, part.stop))


def write_unless(skipped: Tensor, new: Tensor, old: Tensor) -> None:
    """Write `new` into `old`, unless () `skipped` is set: then not one bit of it changes, whatever `new` is."""
    if skipped.is_cpu:  # there is nothing to wait for, and one condition for a whole vector is slow in `where`
        if not skipped:
            old.copy_(new)
    else:
        select(skipped, new, old)


def select(skipped: Tensor, new: Tensor, old: Tensor) -> None:
    """`write_unless` for devices, which nobody asks what `skipped` is."""
    torch.where(skipped > 0, old, new, out=old)
