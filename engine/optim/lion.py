"""Lion on flat vectors: the sign of a mean of gradients, with one moment (Chen et al. 2023, program 1)."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.optim.algorithm import UpdateInputs, pieces, write_unless
from engine.optim.flat import FlatParameters
from presets.schema import OptimConfig


class Lion:
    """Over the parts from `decayed` to `plain`, which touch; only the first has weight decay."""

    def __init__(self, flat: FlatParameters, config: OptimConfig, decayed: slice, plain: slice) -> None:
        self._flat, self._config = flat, config
        self._part = slice(decayed.start, plain.stop)
        self._exp_avg = torch.zeros_like(flat.weight[self._part])
        self._parts = ((decayed, config.weight_decay), (plain, 0.0))

    def update(self, inputs: UpdateInputs) -> None:
        """See `Algorithm`. A step is so much the same for every number that a third of AdamW's rate is enough."""
        config = self._config
        for part, weight_decay in self._parts:
            shrink = 1.0 - inputs.rate * weight_decay
            for piece in pieces(self._flat.weight, part):
                weight, gradient = self._flat.weight[piece], self._flat.gradient[piece]
                exp_avg = self._exp_avg[piece.start - self._part.start : piece.stop - self._part.start]
                if inputs.divisor is not None:
                    gradient.div_(inputs.divisor)
                direction = torch.lerp(exp_avg, gradient, 1.0 - config.beta1).sign_()
                changed = (weight * shrink).addcmul_(direction, inputs.rate, value=-1.0)
                write_unless(inputs.skipped, changed, weight)
                write_unless(inputs.skipped, torch.lerp(exp_avg, gradient, 1.0 - config.beta2), exp_avg)

    def tensors(self) -> dict[str, Tensor]:
        """`exp_avg.<parameter>`."""
        views = self._flat.named_views(self._exp_avg, self._part)
        return {f"exp_avg.{name}": view for name, view in views}
