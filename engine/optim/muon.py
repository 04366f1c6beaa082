"""Muon: the momentum of a matrix, made orthogonal, is its update (Jordan 2024; torch.optim.Muon).

torch's own takes one matrix after the other; here all matrices of one shape go through together.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from engine.optim.algorithm import UpdateInputs, pieces, write_unless
from engine.optim.flat import FlatParameters, batched_shape
from presets.schema import OptimConfig

MOMENTUM = 0.95  # Nesterov's, as in every published run
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # steepest at 0: five rounds bring singular values to about 0.7 to 1.2
_ROUNDS = 5
_LEAST_NORM = 1e-7
_AT_ONCE = 2**24  # numbers that go through the rounds together; bounds the scratch memory


class Muon:
    """Over one part made of matrices only. Query, key and value are made orthogonal each by itself.

    The update is scaled by 0.2 · √max(rows, columns), which gives it the size of AdamW's (Liu et al. 2025, 2.2):
    one learning rate and one weight decay then serve these matrices and everything else.
    dtype: what the rounds compute in.
    """

    def __init__(self, flat: FlatParameters, config: OptimConfig, part: slice, dtype: torch.dtype) -> None:
        self._flat, self._config, self._part = flat, config, part
        self._momentum = torch.zeros_like(flat.weight[part])
        self._dtype = dtype
        self._stacks = _stacks(flat, part)

    def update(self, inputs: UpdateInputs) -> None:
        """See `Algorithm`."""
        part, start = self._part, self._part.start
        for piece in pieces(self._flat.weight, part):
            gradient, kept = self._flat.gradient[piece], self._momentum[piece.start - start : piece.stop - start]
            if inputs.divisor is not None:
                gradient.div_(inputs.divisor)
            momentum = torch.lerp(kept, gradient, 1.0 - MOMENTUM)
            gradient.lerp_(momentum, MOMENTUM)
            write_unless(inputs.skipped, momentum, kept)
        for place, (count, rows, columns) in self._stacks:
            size = 0.2 * math.sqrt(max(rows, columns))
            stack = self._flat.gradient[place].view(count, rows, columns)
            for matrices in torch.split(stack, max(1, _AT_ONCE // (rows * columns))):
                matrices.copy_(orthogonal(matrices, self._dtype) * size)
        shrink = 1.0 - inputs.rate * self._config.weight_decay
        for piece in pieces(self._flat.weight, part):
            weight = self._flat.weight[piece]
            changed = (weight * shrink).addcmul_(self._flat.gradient[piece], inputs.rate, value=-1.0)
            write_unless(inputs.skipped, changed, weight)

    def tensors(self) -> dict[str, Tensor]:
        """`momentum.<parameter>`."""
        views = self._flat.named_views(self._momentum, self._part)
        return {f"momentum.{name}": view for name, view in views}


def orthogonal(matrices: Tensor, dtype: torch.dtype) -> Tensor:
    """Near to U Vᵀ for every U S Vᵀ of (N, rows, columns), by Newton and Schulz's rounds in `dtype`."""
    a, b, c = _COEFFICIENTS
    is_tall = matrices.shape[1] > matrices.shape[2]
    wide = matrices.to(dtype)
    if is_tall:
        wide = wide.mT
    wide = wide / wide.norm(dim=(1, 2), keepdim=True).clamp(min=_LEAST_NORM)
    for _ in range(_ROUNDS):
        gram = wide @ wide.mT
        polynomial = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        wide = torch.baddbmm(wide, polynomial, wide, beta=a)
    return wide.mT if is_tall else wide


def _stacks(flat: FlatParameters, part: slice) -> list[tuple[slice, tuple[int, int, int]]]:
    """Where matrices of one shape lie side by side, and (count, rows, columns) of each such place."""
    stacks: list[tuple[slice, tuple[int, int, int]]] = []
    for place in flat.places_in(part):
        rows, columns = batched_shape(place.name, place.shape)
        count = place.shape.numel() // (rows * columns)
        if stacks and stacks[-1][1][1:] == (rows, columns):
            before, (earlier, _, _) = stacks.pop()
            stacks.append((slice(before.start, place.end), (earlier + count, rows, columns)))
        else:
            stacks.append((slice(place.first, place.end), (count, rows, columns)))
    return stacks
