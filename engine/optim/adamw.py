"""AdamW on flat vectors (Loshchilov & Hutter 2019): torch's fused kernel, one launch a part."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.optim.algorithm import UpdateInputs
from engine.optim.flat import FlatParameters
from presets.schema import OptimConfig


class AdamW:
    """Over the parts from `decayed` to `plain`, which touch; only the first has weight decay.

    The kernel itself divides the gradient and skips the update, so neither costs a pass over memory.
    """

    def __init__(self, flat: FlatParameters, config: OptimConfig, decayed: slice, plain: slice) -> None:
        self._flat, self._config = flat, config
        self._part = slice(decayed.start, plain.stop)
        self._exp_avg = torch.zeros_like(flat.weight[self._part])
        self._exp_avg_sq = torch.zeros_like(self._exp_avg)
        self._pieces = [
            (part, slice(part.start - decayed.start, part.stop - decayed.start), weight_decay)
            for part, weight_decay in ((decayed, config.weight_decay), (plain, 0.0))
            if part.start < part.stop
        ]

    def update(self, inputs: UpdateInputs) -> None:
        """See `Algorithm`."""
        for part, moments, weight_decay in self._pieces:
            fused_adamw(
                self._config, inputs, weight_decay,
                self._flat.weight[part], self._flat.gradient[part],
                self._exp_avg[moments], self._exp_avg_sq[moments],
            )  # fmt: skip

    def tensors(self) -> dict[str, Tensor]:
        """`exp_avg.<parameter>` and `exp_avg_sq.<parameter>`."""
        moments = {"exp_avg": self._exp_avg, "exp_avg_sq": self._exp_avg_sq}
        return {
            f"{moment}.{name}": view
            for moment, vector in moments.items()
            for name, view in self._flat.named_views(vector, self._part)
        }


def fused_adamw(
    config: OptimConfig,
    inputs: UpdateInputs,
    weight_decay: float,
    weight: Tensor,
    gradient: Tensor,
    exp_avg: Tensor,
    exp_avg_sq: Tensor,
) -> None:
    """One update of (N,) float32 vectors in place: the kernel under `torch.optim.AdamW(fused=True)`."""
    torch._fused_adamw_(
        [weight], [gradient], [exp_avg], [exp_avg_sq], [], [inputs.count],
        lr=inputs.rate, beta1=config.beta1, beta2=config.beta2, weight_decay=weight_decay, eps=config.eps,
        amsgrad=False, maximize=False, grad_scale=inputs.divisor, found_inf=inputs.skipped,
    )  # fmt: skip
