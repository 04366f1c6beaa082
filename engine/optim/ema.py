"""An exponential moving average of the weights, for evaluations and for use (Polyak & Juditsky 1992)."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.optim.algorithm import UpdateInputs, pieces, write_unless


class WeightAverage:
    """A copy of the flat weights that follows them slowly.

    After t updates the decay is at most (1 + t) / (10 + t), so that a short run is not judged by weights that
    are still near the first ones (the ramp of TensorFlow's ExponentialMovingAverage).
    """

    def __init__(self, weight: Tensor, decay: float) -> None:
        self.vector = weight.clone()
        self.is_swapped = False
        self._weight = weight
        self._least = 1.0 - decay

    def update(self, inputs: UpdateInputs) -> None:
        """After an update of the weights; a skipped one leaves the average alone."""
        share = (9.0 / (inputs.count + 10.0)).clamp(min=self._least)
        for piece in pieces(self.vector, slice(0, len(self.vector))):
            average = self.vector[piece]
            write_unless(inputs.skipped, torch.lerp(average, self._weight[piece], share), average)

    def swap(self) -> None:
        """Exchange weights and average in place: no third copy, and views and graphs stay valid."""
        weight, average = self._weight.view(torch.int32), self.vector.view(torch.int32)
        weight ^= average
        average ^= weight
        weight ^= average
        self.is_swapped = not self.is_swapped
