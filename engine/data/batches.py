"""Which sample comes when, and its tokens: functions of (seed, epoch, index), never of global random state."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.data.hashing import scalar_seed
from engine.data.token_cache import Split
from engine.data.tokenizers import CLS, PAD, SEP
from presets.schema import DataConfig


class SequenceStore:
    """The sequences of one split, on the device that trains; row i is cut out of the flat tokens when asked."""

    def __init__(self, split: Split, data: DataConfig, device: torch.device) -> None:
        starts, lengths = split.sequences(data)
        self.length = data.sequence_length
        # uint16 has few torch kernels; the same bits as int16 are gathered and widened instead
        self._tokens = torch.from_numpy(split.tokens.view(np.int16)).to(device)
        self._starts = torch.from_numpy(starts).to(device)
        self.lengths = torch.from_numpy(lengths + 2).to(device)  # with [CLS] and [SEP]

    def __len__(self) -> int:
        return len(self._starts)

    def rows(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """(B, L) token ids `[CLS] … [SEP] [PAD] …`, and (B,) lengths. indices: (B,) int64."""
        lengths = self.lengths[indices]
        position = torch.arange(self.length, device=indices.device)
        flat = self._starts[indices][:, None] + (position - 1)
        tokens = self._tokens[flat.clamp_(0, len(self._tokens) - 1)].to(torch.int64) & 0xFFFF
        end = lengths[:, None] - 1
        tokens = torch.where(position < end, tokens, torch.where(position == end, SEP, PAD))
        tokens[:, 0] = CLS
        return tokens, lengths


class SampleOrder:
    """The endless stream of training samples: epoch after epoch, each in an order of its own.

    Batches run across the end of an epoch, so that every batch is whole and no sample is left out.
    """

    def __init__(self, num_samples: int, seed: int) -> None:
        self.num_samples = num_samples
        self._seed = seed
        self._orders: dict[int, Tensor] = {}

    def slice(self, first: int, count: int) -> tuple[Tensor, Tensor]:
        """Epochs and sample indices, (count,) each, of the stream's places first … first + count − 1."""
        place = torch.arange(first, first + count)
        epochs = place // self.num_samples
        within = place % self.num_samples
        samples = torch.empty_like(place)
        for epoch in range(int(epochs[0]), int(epochs[-1]) + 1):
            is_here = epochs == epoch
            samples[is_here] = self._order(epoch)[within[is_here]]
        return epochs, samples

    def _order(self, epoch: int) -> Tensor:
        if epoch not in self._orders:
            self._orders = {e: order for e, order in self._orders.items() if e >= epoch - 1}
            generator = torch.Generator().manual_seed(scalar_seed(self._seed, epoch))
            self._orders[epoch] = torch.randperm(self.num_samples, generator=generator)
        return self._orders[epoch]
