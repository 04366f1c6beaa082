"""Attention maps: the weights that the model itself computes, whatever its positions, masks and kernels are."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
import torch
from torch import Tensor

from engine.analysis.attention import attention_weights, mixed_by
from engine.models.transformer import Transformer
from presets.schema import ModelConfig

IDS = [2, 7, 9, 30, 7, 12, 44, 3]
SMALL = ModelConfig(hidden_size=12, num_layers=3, num_heads=2)


def model_with(is_causal: bool = False, **changes: Any) -> Transformer:
    """Sharp random weights, so that attention is far from even."""
    model = Transformer(msgspec.structs.replace(SMALL, init_std=0.5, **changes), 50, 16, is_causal=is_causal)
    model.initialise(3)
    return model


def own_mixes(model: Transformer) -> list[tuple[Tensor, Tensor]]:
    """Of each layer, its values and what its own attention mixed of them: what goes into `out`."""
    seen: list[tuple[Tensor, Tensor]] = []
    values: list[Tensor] = []
    handles = []
    for block in model.blocks:
        attention: Any = block.attention
        handles.append(
            attention.qkv.register_forward_hook(lambda _, given, made: values.append(made[0].chunk(3, -1)[2]))
        )
        handles.append(
            attention.out.register_forward_pre_hook(lambda _, given: seen.append((values[-1], given[0][0])))
        )
    model.eval()
    with torch.no_grad():
        model(torch.tensor([IDS]), None)
    for handle in handles:
        handle.remove()
    return seen


@pytest.mark.parametrize(
    ("changes", "is_causal"),
    [
        ({}, False),
        ({"positions": "rotary"}, False),
        ({"positions": "rotary"}, True),
        ({"positions": "sinusoidal", "norm_place": "post", "norm": "rmsnorm"}, False),
        ({"num_heads": 6}, True),
        ({"num_heads": 1, "attention_dropout": 0.5, "dropout": 0.5}, False),
    ],
)
def test_the_maps_explain_what_every_layer_mixed(changes: dict[str, Any], is_causal: bool) -> None:
    model = model_with(is_causal, **changes)
    weights = attention_weights(model, IDS)
    assert weights.shape == (3, model.config.num_heads, len(IDS), len(IDS))
    assert torch.allclose(weights.sum(-1), torch.ones(weights.shape[:-1]), atol=1e-5)
    assert weights.min() >= 0
    for layer, (values, mixed) in zip(weights, own_mixes(model), strict=True):
        assert torch.allclose(mixed_by(layer, values), mixed, atol=1e-5)
    looks_ahead = bool((weights.triu(1) > 0).any())
    assert looks_ahead is not is_causal


def test_the_first_layer_is_the_softmax_of_queries_and_keys() -> None:
    model = model_with()
    model.eval()
    with torch.no_grad():
        hidden = model.token_embedding(torch.tensor(IDS)) + model.position_embedding[: len(IDS)]
        block: Any = model.blocks[0]
        query, key, _ = block.attention.qkv(block.attention_norm(hidden)).chunk(3, dim=-1)
    for head in range(2):
        part = slice(6 * head, 6 * head + 6)
        expected = torch.softmax(query[:, part] @ key[:, part].T / math.sqrt(6), dim=-1)
        assert torch.allclose(attention_weights(model, IDS)[0, head], expected, atol=1e-5)


def test_looking_leaves_the_model_as_it_was() -> None:
    model = model_with(dropout=0.3)
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    attention_weights(model, IDS)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_a_layer_that_goes_past_its_own_matrices_is_noticed() -> None:
    model = model_with()
    attention: Any = model.blocks[1].attention
    attention.forward = lambda hidden, visible, rotation: hidden
    with pytest.raises(RuntimeError, match="cannot be looked into"):
        attention_weights(model, IDS)


def test_weights_that_do_not_explain_the_mix_are_noticed() -> None:
    model = model_with()
    attention: Any = model.blocks[0].attention
    own, calls = attention.forward, []

    def sharper_the_first_time(hidden: Tensor, *rest: Any) -> Tensor:
        calls.append(1)
        return own(hidden * (3.0 if len(calls) == 1 else 1.0), *rest)

    attention.forward = sharper_the_first_time
    with pytest.raises(RuntimeError, match="do not explain"):
        attention_weights(model, IDS)
