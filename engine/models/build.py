"""The model that a configuration asks for."""

from __future__ import annotations

from engine.models.transformer import Transformer
from presets.schema import RunConfig


def build_model(config: RunConfig, vocab_size: int, labels: tuple[str, ...] = ()) -> Transformer:
    """Without weights: `initialise` draws them, `load_state_dict` brings a checkpoint's."""
    return Transformer(
        config.model,
        vocab_size,
        config.data.sequence_length,
        is_causal=config.objective.is_causal,
        labels=labels,
    )
