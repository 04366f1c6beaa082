"""Who looks where in a sentence: the attention weights of every layer and head, as the model itself computes them.

What a head puts out is linear in the values: out = weights · values. So each layer is run again on what it read in
the sentence, with unit vectors in the place of its values: what comes out are the weights themselves. Whatever the
kernel, the positions and the masks are, it is the model's own code that applies them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from engine.analysis.subject import AnalysisError, Subject, encode_sentence
from engine.data.special_tokens import UNK
from engine.models.transformer import Transformer
from runs.analysis import Attention, Question

_MOST_WEIGHTS = 1_000_000
_TOLERANCE = 1e-3
_DIGITS = 5


@dataclass
class _Layer:
    """What one layer's attention read and mixed. arguments: of its forward. values, mixed: (1, L, H)."""

    arguments: tuple[Any, ...] = ()
    keywords: dict[str, Any] | None = None
    values: Tensor | None = None
    mixed: Tensor | None = None


@torch.no_grad()
def attention_weights(model: Transformer, ids: list[int]) -> Tensor:
    """(layers, heads, T, T): row t says how much token t looks at each token. ids: (T,) of one sentence.

    Raises RuntimeError when the weights do not explain what the layers mixed, which is a defect of ours.
    """
    was_training = model.training
    model.eval()
    try:
        layers = _watch(model, torch.tensor([ids]))
        weights = [
            _weights_of(block.attention, layer, len(ids))
            for block, layer in zip(model.blocks, layers, strict=True)
        ]
    finally:
        model.train(was_training)
    return torch.stack(weights)


def mixed_by(weights: Tensor, values: Tensor) -> Tensor:
    """(T, H) what heads with these weights put out. weights: (heads, T, T). values: (T, H), head after head."""
    num_heads, length, _ = weights.shape
    by_head = values.view(length, num_heads, -1).transpose(0, 1)
    return (weights @ by_head).transpose(0, 1).reshape(length, -1)


def analyse_attention(subject: Subject, question: Question) -> Attention:
    """The maps of one sentence. Raises AnalysisError."""
    ids = encode_sentence(subject, question.sentence)
    model = subject.config.model
    num_weights = model.num_layers * model.num_heads * len(ids) ** 2
    if num_weights > _MOST_WEIGHTS:
        most = int((_MOST_WEIGHTS / (model.num_layers * model.num_heads)) ** 0.5)
        raise AnalysisError(
            f"{len(ids)} tokens in {model.num_layers} layers of {model.num_heads} heads make {num_weights:,} "
            f"weights, more than {_MOST_WEIGHTS:,}; take a sentence of at most {most} tokens"
        )
    weights = attention_weights(subject.model, ids)
    entropies = torch.special.entr(weights.double()).sum(-1).mean(-1)
    return Attention(
        tokens=tuple(subject.text(token) for token in ids),
        num_unknown=ids.count(UNK),
        weights=_rounded(weights),
        entropies=_rounded(entropies),
    )


def _watch(model: Transformer, inputs: Tensor) -> list[_Layer]:
    """Run the model once and keep what its attention layers read, their values, and what they mixed."""
    layers = [_Layer() for _ in model.blocks]
    handles = []
    for block, layer in zip(model.blocks, layers, strict=True):
        attention: Any = block.attention

        def keep_arguments(_: nn.Module, given: Any, keywords: Any, layer: _Layer = layer) -> None:
            layer.arguments, layer.keywords = given, keywords

        def keep_values(_: nn.Module, given: Any, made: Tensor, layer: _Layer = layer) -> None:
            layer.values = made.chunk(3, dim=-1)[2]

        def keep_mixed(_: nn.Module, given: Any, layer: _Layer = layer) -> None:
            layer.mixed = given[0]

        handles.append(attention.register_forward_pre_hook(keep_arguments, with_kwargs=True))
        handles.append(attention.qkv.register_forward_hook(keep_values))
        handles.append(attention.out.register_forward_pre_hook(keep_mixed))
    try:
        model(inputs, None)
    finally:
        for handle in handles:
            handle.remove()
    return layers


def _weights_of(attention: Any, layer: _Layer, length: int) -> Tensor:
    """(heads, T, T) of one layer: what it mixes when its values are unit vectors, a head's width at a time."""
    if layer.keywords is None or layer.values is None or layer.mixed is None:
        raise RuntimeError(
            "an attention layer does not pass through its own qkv and out, so it cannot be looked into"
        )
    size = layer.mixed.shape[-1]
    head_size = size // attention.num_heads
    parts: list[Tensor] = []

    for first in range(0, length, head_size):
        units = torch.zeros(length, head_size)
        places = torch.arange(first, min(first + head_size, length))
        units[places, places - first] = 1.0

        def set_values(_: nn.Module, given: Any, made: Tensor, units: Tensor = units) -> Tensor:
            query, key, _values = made.chunk(3, dim=-1)
            return torch.cat([query, key, units.repeat(1, attention.num_heads)[None].to(made.dtype)], dim=-1)

        def keep(_: nn.Module, given: Any) -> None:
            parts.append(given[0][0])

        handles = (
            attention.qkv.register_forward_hook(set_values),
            attention.out.register_forward_pre_hook(keep),
        )
        try:
            attention(*layer.arguments, **layer.keywords)
        finally:
            for handle in handles:
                handle.remove()
    columns = torch.cat([part.view(length, attention.num_heads, head_size) for part in parts], dim=-1)
    weights = columns[..., :length].transpose(0, 1).float()
    off = (mixed_by(weights, layer.values[0].float()) - layer.mixed[0].float()).abs().max()
    if not bool(off <= _TOLERANCE * layer.mixed.abs().max().clamp(min=1.0)):
        raise RuntimeError(f"the attention weights do not explain what the layer mixed: off by {float(off):.2g}")
    return weights


def _rounded(values: Tensor) -> Any:
    """The same as nested tuples of numbers with a few digits."""
    if values.dim() == 1:
        return tuple(round(value, _DIGITS) for value in values.tolist())
    return tuple(_rounded(part) for part in values)
