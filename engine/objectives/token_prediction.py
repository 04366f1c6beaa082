"""Predicting tokens of the vocabulary: the loss and the scores that masked and causal models share."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.data.masking import IGNORED
from engine.data.tokenizers import UNK
from engine.models.transformer import Transformer
from engine.objectives import Scores
from engine.objectives.chunked_loss import LARGEST_HIDDEN, chunked_cross_entropy
from presets.costs import CHUNKED_UP_TO_HIDDEN, LOSS_CHUNK

_SCORED_AT_ONCE = {"cpu": 2**19, "cuda": 2**27}  # numbers of logits


def vocabulary_loss(model: Transformer, features: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """() sum of the cross-entropy in nats over the whole vocabulary.

    features: (N, H) from `model.head_features`. targets: (N,) ids, IGNORED where nothing is asked.
    label_smoothing: share of each target spread evenly over the vocabulary (Szegedy et al. 2016, 7).
    """
    hidden_size = model.config.hidden_size
    # the logits never exist all at once; at these sizes memory traffic is what limits
    is_chunked = features.device.type == "cpu" and features.dtype == torch.float32 and not label_smoothing
    if is_chunked and hidden_size <= LARGEST_HIDDEN:
        return chunked_cross_entropy(features, model.output_weight, model.head_bias, targets)
    if is_chunked and hidden_size <= CHUNKED_UP_TO_HIDDEN:
        return F.linear_cross_entropy(
            features,
            model.output_weight,
            targets,
            linear_bias=model.head_bias,
            reduction="sum",
            ignore_index=IGNORED,
            options=torch.nn.LinearCrossEntropyOptions(batch_chunk_size=LOSS_CHUNK),
        )
    logits = F.linear(features, model.output_weight, model.head_bias.to(features.dtype)).float()
    return F.cross_entropy(logits, targets, ignore_index=IGNORED, reduction="sum", label_smoothing=label_smoothing)


def token_score_sums(
    model: Transformer, hidden: Tensor, targets: Tensor, token_bytes: Tensor | None = None
) -> Tensor:
    """(7,) float64: see `logit_score_sums`. A part of the logits exists at a time, as in training.

    hidden: (N, H) final hidden states. targets: (N,) ids, IGNORED where nothing is asked.
    """
    rows = max(1, _SCORED_AT_ONCE["cuda" if hidden.is_cuda else "cpu"] // model.vocab_size)
    if token_bytes is not None:
        token_bytes = token_bytes.to(hidden.device)
    parts = zip(torch.split(hidden, rows), torch.split(targets, rows), strict=True)
    return torch.stack(
        [logit_score_sums(model.logits(part).float(), wanted, token_bytes) for part, wanted in parts]
    ).sum(0)


def logit_score_sums(logits: Tensor, targets: Tensor, token_bytes: Tensor | None) -> Tensor:
    """(7,) float64: loss sum, right, predicted, right among known, known among predicted, loss of text, its bytes.

    logits: (N, V). targets: (N,) ids, IGNORED where nothing is asked. token_bytes: (V,), see
    engine/data/token_bytes.py; without it the last two are 0. Targets of no bytes, such as [SEP], are no text.
    """
    is_target = targets != IGNORED
    is_known = is_target & (targets != UNK)
    is_right = logits.argmax(-1) == targets
    losses = F.cross_entropy(logits, targets, ignore_index=IGNORED, reduction="none")
    if token_bytes is None:
        num_bytes = torch.zeros_like(losses)
    else:
        num_bytes = torch.where(is_target, token_bytes[targets.clamp(min=0)], 0.0)
    text_losses = torch.where(num_bytes > 0, losses, 0.0)
    sums = (losses, is_right & is_target, is_target, is_right & is_known, is_known, text_losses, num_bytes)
    return torch.stack([part.double().sum() for part in sums])


def token_scores(sums: Tensor) -> Scores:
    """Scores from the sum of `token_score_sums`, (7,): loss, accuracy, that over known words, bits per byte."""
    loss, right, predicted, right_known, known, text_loss, num_bytes = sums.tolist()
    figures = {"accuracy": right / max(predicted, 1), "accuracy_known": right_known / max(known, 1)}
    if num_bytes:
        figures["bits_per_byte"] = text_loss / math.log(2) / num_bytes
    return Scores(loss / max(predicted, 1), figures)
