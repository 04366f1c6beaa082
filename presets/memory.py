"""What training keeps in memory: bytes for each parameter, and for each sequence until backward has used it."""

from __future__ import annotations

from typing import Protocol

from presets.costs import CHUNKED_UP_TO_HIDDEN, HEAP_BLOCK_BYTES, LOGIT_COPIES, LOSS_CHUNK
from presets.flops import num_predictions
from presets.schema import RunConfig

_WEIGHT_AND_GRADIENT = 8  # fp32 both, whatever the precision of the arithmetic
_STATE_BYTES = {"adamw": 8, "lion": 4, "muon": 4, "adamw8bit": 2}  # moments, for each parameter


class ParameterParts(Protocol):
    """Parameters by part; see presets.estimate.ParameterCount."""

    @property
    def embedding(self) -> int: ...
    @property
    def encoder(self) -> int: ...
    @property
    def head(self) -> int: ...


def state_bytes(config: RunConfig, parameters: ParameterParts) -> int:
    """Weights, gradients, optimizer state and, where it is on, the average of the weights.

    Muon keeps one moment for the matrices of the blocks and adamw8bit two of a byte; embeddings and head have
    AdamW's two in fp32 with both.
    """
    algorithm = config.optim.algorithm
    each = _WEIGHT_AND_GRADIENT + (4 if config.optim.ema_decay else 0)
    outside = _STATE_BYTES["adamw" if algorithm in ("muon", "adamw8bit") else algorithm]
    in_blocks = parameters.encoder * (each + _STATE_BYTES[algorithm])
    return in_blocks + (parameters.embedding + parameters.head) * (each + outside)


def is_bf16(config: RunConfig, on_gpu: bool) -> bool:
    """Whether activations have two bytes, as far as that is known before it is measured."""
    return config.train.precision in ("bf16", "fp16") or (config.train.precision == "auto" and on_gpu)


def activation_bytes(config: RunConfig, *, on_gpu: bool) -> int:
    """What backward keeps of one sequence: of every block, or, with checkpointing, of one and all inputs."""
    model, length = config.model, config.data.sequence_length
    width = 2 if is_bf16(config, on_gpu) else 4
    block = length * _block_numbers_per_token(config) * width
    if width == 2 and not on_gpu:  # attention written out keeps its weights
        block += model.num_heads * length * length * width
    stream = length * model.hidden_size * 4
    ends = 4 * stream  # embeddings, last norm
    if config.train.activation_checkpointing:
        return model.num_layers * stream + block + ends
    return model.num_layers * block + ends


def scored_at_once(config: RunConfig, *, on_gpu: bool) -> int:
    """Predictions of a micro-batch whose logits exist at once: all, or a chunk for small models on the CPU."""
    predicted = config.train.batch_size * num_predictions(config, config.data.sequence_length)
    is_chunked = not (on_gpu or is_bf16(config, on_gpu) or config.objective.label_smoothing)
    if is_chunked and config.model.hidden_size <= CHUNKED_UP_TO_HIDDEN:
        return min(predicted, LOSS_CHUNK)
    return predicted


def logit_bytes(config: RunConfig, vocab_size: int, *, on_gpu: bool) -> int:
    """What the logits and their gradients take at the most, in fp32 whatever the precision."""
    once = scored_at_once(config, on_gpu=on_gpu) * vocab_size * 4
    if on_gpu:
        return LOGIT_COPIES["cuda"] * once
    return LOGIT_COPIES["cpu"] * once + min(once, HEAP_BLOCK_BYTES)


def _block_numbers_per_token(config: RunConfig) -> int:
    """Two sums, two norms, queries, keys and values, what attention mixed twice, the feed-forward's inside."""
    model = config.model
    hidden, inner = model.hidden_size, model.feed_forward_size
    numbers = 9 * hidden + (4 if model.is_gated else 2) * inner
    if model.positions == "rotary":
        numbers += 2 * hidden
    if model.dropout:
        numbers += 2 * hidden
    return numbers
