"""The scale of the loss in fp16, whose small gradients would else be rounded to 0 (Micikevicius et al. 2018)."""

from __future__ import annotations

import torch
from torch import Tensor

_FIRST = 65_536.0
_GROWTH, _BACKOFF, _GROWTH_INTERVAL = 2.0, 0.5, 2000


class LossScale:
    """Halved by every overflow, doubled after 2,000 finite gradients in a row; lives on the device."""

    def __init__(self, device: torch.device) -> None:
        self.value = torch.full((), _FIRST, device=device)
        self._streak = torch.zeros((), dtype=torch.int32, device=device)

    def update(self, skipped: Tensor) -> None:
        """After a step. skipped: () float32, 1 when the gradient was not finite."""
        torch._amp_update_scale_(self.value, self._streak, skipped, _GROWTH, _BACKOFF, _GROWTH_INTERVAL)

    def tensors(self) -> dict[str, Tensor]:
        """Live views: the scale, and how many finite gradients there were since it changed."""
        return {"loss_scale": self.value, "loss_scale_streak": self._streak}
