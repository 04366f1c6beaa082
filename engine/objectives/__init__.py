"""What a model learns to do: batches, a loss, metrics. The trainer knows objectives by this protocol alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

from engine.data.batches import SequenceStore
from engine.models.transformer import Transformer
from runs.events import Baselines


@dataclass(frozen=True)
class Draw:
    """Which samples a step takes, and where in the run it stands.

    epochs, samples: (B,) int64 on the CPU. share: of the run's steps that are over, 0 to 1. length: tokens that
    sequences are cut to, at most the store's.
    """

    epochs: Tensor
    samples: Tensor
    share: float
    length: int


@dataclass(frozen=True)
class Scores:
    """Of one evaluation. loss: nats, what `best` goes by. figures: by name, recorded as `val_<name>`.

    confusion: (labels, labels) counts, rows the truth; empty where there are no labels.
    """

    loss: float
    figures: Mapping[str, float] = field(default_factory=dict)
    confusion: tuple[tuple[int, ...], ...] = ()

    @property
    def perplexity(self) -> float:
        """exp(loss); infinite where that overflows."""
        return math.exp(self.loss) if self.loss < 700 else math.inf


class Objective(Protocol):
    """All randomness comes from seeds, epochs and sample numbers, so any process can make any batch."""

    def counts(self, store: SequenceStore, draw: Draw) -> tuple[float, ...]:
        """What the loss of a global batch is divided by; every process can tell it for the whole batch.

        draw: of the global batch. Known from lengths on the CPU, without waiting for a device.
        """

    def training_batch(self, store: SequenceStore, draw: Draw) -> Any:
        """A batch on the store's device. draw: of this process's share."""

    def frozen_batch(self, store: SequenceStore, samples: Tensor) -> Any:
        """An evaluation batch: the same for every evaluation, run and seed. samples: (B,) on the CPU."""

    def loss(self, model: Transformer, batch: Any, counts: tuple[float, ...]) -> Tensor:
        """() float32 nats: this batch's share of the mean loss of the global batch that `counts` is of."""

    def score_sums(self, model: Transformer, batch: Any) -> Tensor:
        """(K,) float64 sums that add up over batches and processes; K is the same for every batch."""

    def scores(self, sums: Tensor) -> Scores:
        """What the sums, (K,), of a whole evaluation mean."""

    def baselines(self, store: SequenceStore, samples: Tensor) -> Baselines:
        """What knowing nothing, and only frequencies, score. samples: (R,) those that evaluations score."""
