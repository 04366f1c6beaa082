"""Which sample comes when, and its tokens: functions of (seed, epoch, index), never of global random state."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from engine.data.hashing import scalar_seed
from engine.data.shard_feed import ShardFeed
from engine.data.shards import Split
from engine.data.tokenizers import CLS, PAD, SEP
from presets.schema import DataConfig


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the host's, on the device: nobody waits until the device has come to the copy.

    Only from pinned memory is a copy to CUDA one that the host does not wait for.
    """
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


class SequenceStore:
    """The sequences of one split, in the order of its shards; row i is cut out of the flat tokens when asked."""

    def __init__(self, splits: Iterable[Split], data: DataConfig, device: torch.device) -> None:
        self.length = data.sequence_length
        self.sizes: list[int] = []
        """Sequences of each shard."""
        self._data = data
        self._device = device
        self._tokens: list[Tensor] = []  # one a shard: memory-mapped on the CPU, copied to a device once
        self._id_mask = 0
        self._starts = torch.empty(0, dtype=torch.int64, device=device)
        self.lengths = torch.empty(0, dtype=torch.int64)
        """(N,) tokens of each sequence with [CLS] and [SEP], on the CPU."""
        self._device_lengths = self.lengths.to(device)
        self.labels: Tensor | None = None
        """(N,) the class of each sequence's document, on the CPU; None for text without labels."""
        self._splits: list[Split] = []
        self._host: SequenceStore | None = None
        self._num_bounded = 0
        self._shard_bounds = self._document_bounds = torch.empty((0, 2), dtype=torch.int64)
        for split in splits:
            self.add(split)

    def __len__(self) -> int:
        return len(self._starts)

    def add(self, split: Split) -> None:
        """Append a shard; the numbers of the sequences before it stay."""
        starts, lengths = split.sequences(self._data)
        width = split.tokens.itemsize
        # unsigned numbers have few torch kernels; the same bits as signed ones are gathered and widened instead
        signed = split.tokens.view(np.int16 if width == 2 else np.int32)
        self._id_mask = (1 << 8 * width) - 1
        self._tokens.append(torch.from_numpy(signed).to(self._device))
        self._starts = torch.cat([self._starts, torch.from_numpy(starts).to(self._device)])
        self.lengths = torch.cat([self.lengths, torch.from_numpy(lengths + 2)])
        self._device_lengths = self.lengths.to(self._device)
        self.sizes.append(len(starts))
        self._splits.append(split)
        if split.labels is not None:
            labels = torch.from_numpy(split.labels[split.owners(starts)])
            self.labels = labels if self.labels is None else torch.cat([self.labels, labels])
        self._ends = torch.tensor(self.sizes).cumsum(0)

    def rows(self, indices: Tensor, length: int = 0) -> tuple[Tensor, Tensor, bool]:
        """(B, L) token ids `[CLS] … [SEP] [PAD] …`, (B,) lengths, and whether any row is padded.

        indices: (B,) int64 on the CPU. length: L, to which sequences are cut; 0 for the store's own.
        """
        length = length or self.length
        is_padded = bool((self.lengths[indices] < length).any())  # told on the CPU: nobody waits for a device
        places = to_device(indices, self._device)
        lengths = self._device_lengths[places].clamp(max=length)
        position = torch.arange(length, device=self._device)
        flat = self._starts[places][:, None] + (position - 1)
        tokens = self._gather(indices, flat).to(torch.int64) & self._id_mask
        end = lengths[:, None] - 1
        # not `where`, which copies a number to the device and waits for it
        tokens = tokens.masked_fill_(position == end, SEP).masked_fill_(position > end, PAD)
        tokens[:, 0] = CLS
        return tokens, lengths, is_padded

    @property
    def device(self) -> torch.device:
        """Where rows come from."""
        return self._device

    def on_cpu(self) -> SequenceStore:
        """The same sequences from the host's memory: for what a step has to know without waiting for a device."""
        if self._device.type == "cpu":
            return self
        if self._host is None:
            self._host = SequenceStore((), self._data, torch.device("cpu"))
        for split in self._splits[len(self._host.sizes) :]:
            self._host.add(split)
        return self._host

    @property
    def shard_bounds(self) -> Tensor:
        """(N, 2) on the CPU: the first sequence of each one's shard, and the one after its last."""
        return self._bounds()[0]

    @property
    def document_bounds(self) -> Tensor:
        """(N, 2) on the CPU: the first sequence of each one's document, and the one after its last."""
        return self._bounds()[1]

    def _bounds(self) -> tuple[Tensor, Tensor]:
        """Both of them, worked out when they are asked for first, and for further shards as they come."""
        for split in self._splits[self._num_bounded :]:
            first = len(self._shard_bounds)
            owners = split.owners(split.sequences(self._data)[0])
            _, firsts, counts = np.unique(owners, return_index=True, return_counts=True)
            own = torch.from_numpy(np.repeat(np.stack([firsts, firsts + counts], axis=1), counts, axis=0)).long()
            shard = torch.tensor([[first, first + len(owners)]]).expand(len(owners), 2)
            self._shard_bounds = torch.cat([self._shard_bounds, shard])
            self._document_bounds = torch.cat([self._document_bounds, own + first])
            self._num_bounded += 1
        return self._shard_bounds, self._document_bounds

    def _gather(self, indices: Tensor, flat: Tensor) -> Tensor:
        """(B, L) numbers out of the sequences' shards.

        indices: (B,) on the CPU, where they are told apart by shard, as only the host can know how many are in
        each. flat: (B, L) places within each one's own shard.
        """
        if len(self._tokens) == 1:
            return self._tokens[0][flat.clamp_(0, len(self._tokens[0]) - 1)]
        by_shard, order = torch.bucketize(indices, self._ends, right=True).sort(stable=True)
        present, counts = torch.unique_consecutive(by_shard, return_counts=True)
        rows = torch.split(to_device(order, self._device), counts.tolist())
        gathered = torch.empty(flat.shape, dtype=self._tokens[0].dtype, device=flat.device)
        for shard, here in zip(present.tolist(), rows, strict=True):
            tokens = self._tokens[shard]
            gathered[here] = tokens[flat[here].clamp_(0, len(tokens) - 1)]
        return gathered


class SampleOrder:
    """The endless stream of training samples: epoch after epoch, each in an order of its own.

    Batches run across the end of an epoch, so that every batch is whole and no sample is left out. The first
    epoch of a streamed dataset goes through its shards as they come, each shuffled; so its order follows from the
    sizes of the shards and never from when they came.
    """

    def __init__(self, sizes: Iterable[int], seed: int, *, is_streamed: bool = False) -> None:
        """sizes: samples of each shard that is there."""
        self._sizes = list(sizes)
        self._seed = seed
        self._is_streamed = is_streamed
        self.is_complete = not is_streamed
        self._orders: dict[int, Tensor] = {}

    @property
    def num_samples(self) -> int:
        """Samples of one epoch; of a stream that goes on, of what is there."""
        return sum(self._sizes)

    def add(self, sizes: Iterable[int], is_complete: bool) -> None:
        """Further shards have come; is_complete: no more will."""
        self._sizes += sizes
        self.is_complete = is_complete
        self._orders.pop(0, None)

    def covers(self, end: int) -> bool:
        """Whether the places before `end` are known."""
        return self.is_complete or end <= self.num_samples

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
            if epoch == 0 and self._is_streamed:
                firsts = itertools.accumulate(self._sizes, initial=0)
                parts = [
                    first + _permutation(size, self._seed, 0, shard)
                    for shard, (first, size) in enumerate(zip(firsts, self._sizes, strict=False))
                ]
                self._orders[0] = torch.cat(parts)
            else:
                self._orders[epoch] = _permutation(self.num_samples, self._seed, epoch)
        return self._orders[epoch]


def _permutation(size: int, *seed: int) -> Tensor:
    return torch.randperm(size, generator=torch.Generator().manual_seed(scalar_seed(*seed)))


class SampleStream:
    """Takes training samples in their order, and waits for shards where a stream has not brought them yet."""

    def __init__(self, store: SequenceStore, order: SampleOrder, feed: ShardFeed | None) -> None:
        self.store = store
        self.order = order
        self._feed = feed

    def close(self) -> None:
        """End the process that reads a stream, when there is one."""
        if self._feed is not None:
            self._feed.close()

    def take(self, first: int, count: int) -> tuple[Tensor, Tensor]:
        """Epochs and sample indices of the places first … first + count − 1, (count,) each.

        Raises DataError when the stream broke off, StopRequested when somebody asked to stop while it was waited
        for; on all ranks alike.
        """
        while self._feed is not None and not self.order.covers(first + count):
            before = len(self.store.sizes)
            for shard in self._feed.more(first + count):
                self.store.add(shard.train)
            self.order.add(self.store.sizes[before:], self._feed.is_complete)
        return self.order.slice(first, count)
