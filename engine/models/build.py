"""The model that a configuration asks for."""

from __future__ import annotations

from engine.models.transformer import Transformer
from presets.schema import RunConfig

PAIR_LABELS = ("no", "yes")  # whether the second text follows the first (nsp), whether they are in order (sop)


def build_model(config: RunConfig, vocab_size: int, labels: tuple[str, ...] = ()) -> Transformer:
    """Without weights: `initialise` draws them, `load_state_dict` brings a checkpoint's.

    labels: the classes' names, for classification; pairs of texts have their own two.
    """
    return Transformer(
        config.model,
        vocab_size,
        config.data.sequence_length,
        is_causal=config.objective.is_causal,
        labels=PAIR_LABELS if config.objective.kind in ("nsp", "sop") else labels,
        checkpoints_activations=config.train.activation_checkpointing,
    )
