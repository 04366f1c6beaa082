"""Floating-point operations of training, by the shapes of the model's matrix products."""

from __future__ import annotations

from presets.corpora import facts
from presets.schema import RunConfig

NUM_PAIR_LABELS = 2  # nsp and sop answer yes or no

FLOPS_FORMULA = (
    "FLOPs are steps × global batch × sequence length, padding with them, × (6 × weights of the matrices + "
    "12 × layers × sequence length × hidden size for attention); the head counts for what is predicted alone."
)


def num_predictions(config: RunConfig, length: int) -> int:
    """Tokens of a full sequence that the head is applied to: the masked ones, all but the last, or none."""
    objective = config.objective
    if objective.is_causal:
        return length - 1
    return max(1, round((length - 2) * objective.mask_rate)) if objective.has_masks else 0


def num_labels(config: RunConfig, labels: int = 0) -> int:
    """Classes that the model tells apart. labels: those of labelled data, 0 where nobody has looked."""
    if config.objective.kind in ("nsp", "sop"):
        return NUM_PAIR_LABELS
    if config.objective.kind != "classification":
        return 0
    known = facts(config.data)
    return labels or (known.labels if known else 0) or 2


def sequence_flops(config: RunConfig, vocab_size: int, length: int, labels: int = 0) -> int:
    """Forward and backward of one full sequence of `length` tokens: model FLOPs (Chowdhery et al. 2022, B).

    A product of (m, k) and (k, n) is 2 · m · k · n; backward makes two such for each of forward's. Attention
    counts in full also when causal; what activation checkpointing computes twice counts once; norms,
    activations and softmax do not count.
    """
    model = config.model
    hidden, inner = model.hidden_size, model.feed_forward_size
    layer = 4 * hidden * hidden + (3 if model.is_gated else 2) * hidden * inner
    attention = 2 * length * hidden  # scores, and the mean of values by them
    head = vocab_size * hidden + (hidden * hidden if model.head_transform else 0)
    classes = num_labels(config, labels)
    products = length * model.num_layers * (layer + attention) + num_predictions(config, length) * head
    products += hidden * (hidden + classes) if classes else 0
    return 6 * products
