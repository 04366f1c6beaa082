"""What begins easy and grows: how long sequences are, and from which of them samples are drawn."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from engine.data.batches import SampleOrder, SequenceStore
from engine.data.documents import Report
from engine.data.hashing import scalar_seed
from presets.estimate import global_batch
from presets.schema import CurriculumConfig, RunConfig

_MULTIPLE = 8  # lengths between the first and the full one; what matrix kernels like, and few shapes to compile
_STAGES = 100  # the pool of easy sequences grows in so many steps
_FIXED_POINT = 1 << 20  # sums of whole numbers are the same on every device and in every order
_CHUNK_TOKENS = 1 << 22
_STREAM = 0xC0E


def sequence_length(config: RunConfig, share: float) -> int:
    """Tokens of the sequences when that share of all steps is done, 0 ≤ share ≤ 1, [CLS] and [SEP] among them.

    It grows in proportion from curriculum.start_length to data.sequence_length, in multiples of 8 after the first,
    and is full from curriculum.length_share on (sequence length warm-up: Li, Zhang & He 2022, "The
    stability-efficiency dilemma", section 4).
    """
    full, first = config.data.sequence_length, config.curriculum.start_length
    growth = share / config.curriculum.length_share
    if not first or growth >= 1 or first >= full:
        return full
    length = int(first + (full - first) * growth)
    return max(first, length - length % _MULTIPLE)


def difficulty(
    store: SequenceStore, token_counts: np.ndarray, order: str, report: Report = lambda *_: None
) -> Tensor:
    """(N,) float64 on the CPU: how hard each sequence is, [CLS] and [SEP] left out.

    order: "length", tokens; or "rarity", the mean of −log p(token) in nats, where p is the token's share of the
    training split with one added to every count. token_counts: (V,) of the training split. (Platanios et al. 2019,
    section 4.1, have the sum, which is mostly the length; windows of one length need the mean.)
    """
    num_tokens = (store.lengths - 2).double()
    if order == "length":
        return num_tokens
    counts = torch.from_numpy(token_counts.astype(np.float64)) + 1.0
    surprisal = (-(counts / counts.sum()).log() * _FIXED_POINT).round().long()
    sums = torch.empty(len(store), dtype=torch.int64)
    rows_at_once = max(1, _CHUNK_TOKENS // store.length)
    for first in range(0, len(store), rows_at_once):
        last = min(first + rows_at_once, len(store))
        rows, lengths, _ = store.rows(torch.arange(first, last))
        is_text = torch.arange(1, store.length - 1, device=rows.device) < lengths[:, None] - 1
        report("sorting by difficulty", last, len(store), "sequences")
        sums[first:last] = (surprisal.to(rows.device)[rows[:, 1:-1]] * is_text).sum(1).cpu()
    return sums.double() / num_tokens.clamp(min=1) / _FIXED_POINT


def arranged_order(
    config: RunConfig,
    store: SequenceStore,
    token_counts: np.ndarray,
    order: SampleOrder,
    report: Report = lambda *_: None,
) -> SampleOrder:
    """The order itself where curriculum.order is none, else the same samples from easy to all."""
    curriculum = config.curriculum
    if curriculum.order == "none":
        return order
    scores = difficulty(store, token_counts, curriculum.order, report)
    return CurriculumOrder(store.sizes, config.train.seed, scores, curriculum, planned_samples(config, len(store)))


def planned_samples(config: RunConfig, num_samples: int) -> int:
    """Samples that the whole run takes, by its configuration alone: not by the processes or steps of today."""
    return config.train.max_steps * global_batch(config) or config.train.epochs * num_samples


class CurriculumOrder(SampleOrder):
    """Samples drawn from a pool that begins with the easiest and grows to all.

    At the share t of the growth the pool is the easiest c(t) of all, c(t) = √(t (1 − c₀²) + c₀²): new ones come
    at a rate at which each is drawn about as often (Platanios et al. 2019, "Competence-based curriculum learning",
    equation 7). Unlike there, samples are drawn without replacement: a pass draws everything in the pool once, and
    what joins the pool joins the pass; when nothing is left, the next pass begins with the whole pool. So a run of
    one epoch still sees every sample exactly once, and no later than one epoch after the growth every sample was
    drawn. Passes count as epochs: a sample comes once in each, with masks of its own.

    The pool grows at places that follow from the plan of the run, and what is drawn between them from (seed, the
    number of the stage): every place is the same on every rank, and after every resume.
    """

    def __init__(
        self, sizes: list[int], seed: int, difficulty: Tensor, config: CurriculumConfig, planned_samples: int
    ) -> None:
        """sizes: samples of each shard, all that there will be. difficulty: (N,) float64 on the CPU."""
        super().__init__(sizes, seed)
        assert len(difficulty) == self.num_samples, "every sample has a difficulty"
        shuffled = self._shuffled(torch.arange(self.num_samples), 0, 0)  # among equals, chance decides
        self._easiest_first = shuffled[difficulty[shuffled].argsort(stable=True)]
        self._growth = max(1, round(config.order_share * planned_samples))
        self._num_stages = min(_STAGES, self._growth)
        self._start_share = config.start_share
        self._begin()

    def add(self, sizes: object, is_complete: bool) -> None:
        """Raises ValueError: the easiest of a stream are not known before it is read."""
        raise ValueError("a curriculum's order needs all samples from the start")

    def pool_size(self, stage: int) -> int:
        """Samples that may be drawn in a stage of the growth."""
        share, first = stage / self._num_stages, self._start_share
        return math.ceil(self.num_samples * math.sqrt(share * (1 - first**2) + first**2))

    def slice(self, first: int, count: int) -> tuple[Tensor, Tensor]:
        """Passes and sample indices, (count,) each, of the places first … first + count − 1."""
        if first < self._first:
            self._begin()  # only tests and resumes go back
        parts: list[tuple[Tensor, Tensor]] = []
        place, end = first, first + count
        while place < end:
            while self._stage < self._num_stages and place >= self._first + len(self._samples):
                self._advance()
            here = slice(place - self._first, end - self._first)
            if here.start < len(self._samples):
                parts.append((self._passes[here], self._samples[here]))
            else:  # everything is in the pool, and the pass that began before it was is over
                rest = place - self._first - len(self._samples)
                parts.append(super().slice((self._pass + 1) * self.num_samples + rest, end - place))
            place += len(parts[-1][0])
        passes, samples = zip(*parts, strict=True)
        return torch.cat(passes), torch.cat(samples)

    def _begin(self) -> None:
        self._stage = -1
        self._pass = 0
        self._first = 0  # place of the first drawn sample of this stage
        self._passes = self._samples = self._left = torch.empty(0, dtype=torch.int64)

    def _advance(self) -> None:
        """Draw the samples of the next stage; the last one, after the growth, is what its pass has left."""
        self._first += len(self._samples)
        before = self.pool_size(self._stage) if self._stage >= 0 else 0
        self._stage += 1
        pool = self._easiest_first[: self.pool_size(self._stage)]
        left = self._shuffled(torch.cat([self._left, pool[before:]]), self._stage + 1, self._pass)
        if self._stage == self._num_stages:
            wanted = len(left)
        else:
            wanted = self._growth * (self._stage + 1) // self._num_stages - self._first
        drawn, passes = [left[:wanted]], [torch.full((min(wanted, len(left)),), self._pass)]
        while wanted > len(left):
            wanted -= len(left)
            self._pass += 1
            left = self._shuffled(pool, self._stage + 1, self._pass)
            drawn.append(left[:wanted])
            passes.append(torch.full((min(wanted, len(left)),), self._pass))
        self._left = left[wanted:]
        self._samples, self._passes = torch.cat(drawn), torch.cat(passes)

    def _shuffled(self, samples: Tensor, stage: int, number: int) -> Tensor:
        generator = torch.Generator().manual_seed(scalar_seed(self._seed, _STREAM, stage, number))
        return samples[torch.randperm(len(samples), generator=generator)]
