"""The objective that a configuration asks for."""

from __future__ import annotations

import torch

from engine.data.token_bytes import token_bytes
from engine.data.word_starts import word_starts
from engine.objectives import Objective
from engine.objectives.mlm import MaskedLanguageModelling
from engine.training_data import TrainingData
from presets.schema import RunConfig


def build_objective(config: RunConfig, data: TrainingData) -> Objective:
    """Batches, loss and scores of `config.objective.kind` over these data."""
    token_counts = torch.from_numpy(data.judged.token_counts)
    num_bytes = token_bytes(data.cache.tokenizer)
    if config.objective.kind == "clm":
        from engine.objectives.clm import CausalLanguageModelling

        num_sequences = sum(data.train.sizes[: len(data.judged.shards)])
        return CausalLanguageModelling(config.objective, token_counts, num_sequences, num_bytes)
    if config.objective.kind in ("nsp", "sop"):
        from engine.objectives.sentence_pairs import build_sentence_pairs

        return build_sentence_pairs(config, data, token_counts)
    if config.objective.kind == "classification":
        from engine.objectives.classification import build_classification

        return build_classification(config, data)
    return MaskedLanguageModelling(
        config.objective,
        token_counts,
        config.train.seed,
        hides_every_target=config.data.source == "synthetic",
        starts_word=word_starts(data.cache.tokenizer) if config.objective.whole_words else None,
        token_bytes=num_bytes,
    )
