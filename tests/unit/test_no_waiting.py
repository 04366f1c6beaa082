"""Every step's batch, loss and gradient without a wait for the device, for which meta tensors stand.

They hold no numbers, so that whatever asks for one fails. What only a GPU waits for is listed here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode

from engine.data.batches import SequenceStore, to_device
from engine.data.shards import Split
from engine.models.transformer import Transformer
from engine.objectives import Draw
from engine.objectives.classification import Classification
from engine.objectives.clm import CausalLanguageModelling
from engine.objectives.mlm import MaskedLanguageModelling
from engine.objectives.sentence_pairs import SentencePairs
from presets.schema import DataConfig, ModelConfig, ObjectiveConfig

LENGTH, VOCAB = 16, 200
META = torch.device("meta")


class NoWaiting(TorchFunctionMode):
    """Forbids `torch.where` with a number of Python's, which it copies to a GPU as from pageable memory."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.where, torch.Tensor.where):
            given = [x for x in args if isinstance(x, torch.Tensor)]
            if any(x.device == META for x in given):
                assert len(given) == len(args), "`where` with a number waits for the device"
        return func(*args, **(kwargs or {}))


def store() -> SequenceStore:
    """Three shards of four documents each, with labels."""
    edges = np.arange(5) * 20
    tokens = (np.arange(80) % 150 + 10).astype(np.uint16)
    split = Split(tokens, edges, edges, np.array([0, 1, 0, 1]))
    return SequenceStore([split, split, split], DataConfig(sequence_length=LENGTH), META)


def labelling(made: SequenceStore) -> Classification:
    assert made.labels is not None
    return Classification(ObjectiveConfig(kind="classification"), torch.bincount(made.labels))


def pairs(kind: Any) -> SentencePairs:
    ends, starts = torch.arange(VOCAB) % 7 == 0, torch.arange(VOCAB) % 2 == 0
    objective = ObjectiveConfig(kind=kind, whole_words=True)
    return SentencePairs(kind, objective, torch.ones(VOCAB), ends, 1, starts_word=starts)


OBJECTIVES: dict[str, Callable[[SequenceStore], Any]] = {
    "mlm": lambda _: MaskedLanguageModelling(ObjectiveConfig(), torch.ones(VOCAB), 1),
    "clm": lambda _: CausalLanguageModelling(ObjectiveConfig(kind="clm"), torch.ones(VOCAB), 12),
    "nsp": lambda _: pairs("nsp"),
    "sop": lambda _: pairs("sop"),
    "classification": labelling,
}


@pytest.mark.parametrize("kind", OBJECTIVES)
@pytest.mark.parametrize("length", [LENGTH, 8])
def test_no_step_waits_for_the_device(kind: str, length: int) -> None:
    made = store()
    objective = OBJECTIVES[kind](made)
    labels = ("no", "yes") if kind in ("nsp", "sop", "classification") else ()
    segments = 2 if kind in ("nsp", "sop") else 0
    config = ModelConfig(hidden_size=8, num_layers=1, num_heads=2, segments=segments)
    model = Transformer(config, VOCAB, LENGTH, is_causal=kind == "clm", labels=labels).to(META)
    samples = torch.arange(len(made))
    draw = Draw(torch.zeros_like(samples), samples, 0.5, length)
    with NoWaiting():
        counts = objective.counts(made, draw)
        batch = objective.training_batch(made, draw)
        loss = objective.loss(model, batch, counts)
        loss.backward()
    assert loss.device == META and loss.shape == ()


def test_only_the_hosts_rows_are_told_apart_by_shard() -> None:
    tokens, lengths, is_padded = store().rows(torch.tensor([11, 0, 5]))
    assert tokens.device == lengths.device == META
    assert tokens.shape == (3, LENGTH) and is_padded in (True, False)


def test_what_goes_to_a_gpu_goes_from_pinned_memory_and_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[Any, ...]] = []

    def noted(tensor: torch.Tensor, *args: Any, **options: Any) -> torch.Tensor:
        given.append((*args, options))
        return tensor

    monkeypatch.setattr(torch.Tensor, "pin_memory", noted)
    monkeypatch.setattr(torch.Tensor, "to", noted)
    to_device(torch.zeros(3), torch.device("cuda", 1))
    assert given == [({},), (torch.device("cuda", 1), {"non_blocking": True})]
