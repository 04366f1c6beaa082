"""A model's first weights, all from one seed, and the check that tied weights are tied."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from engine.models.transformer import Transformer

_INTO_RESIDUAL = ("attention.out.weight", "down.weight")


def draw_weights(model: Transformer, seed: int) -> None:
    """Draw all weights from one seed, whatever else has drawn numbers.

    Embeddings and the matrices that give scores are normal with deviation `init_std` under every option: small, so
    that scores begin near 0 and the loss at that of guessing. Other matrices follow `config.init`. What a block
    writes into the residual stream is divided by √(2 · layers) (Radford et al. 2019, 2.3). The norm that the head
    reads starts below 1 where logits would otherwise not be small: see `_last_gain`.
    """
    generator = torch.Generator().manual_seed(seed)
    smaller = math.sqrt(2 * model.config.num_layers)
    for name, parameter in model.named_parameters():
        with torch.no_grad():
            if "norm" in name:
                parameter.fill_(1.0 if name.endswith("weight") else 0.0)
            elif name.endswith("bias"):
                parameter.zero_()
            else:
                std = _deviation(model, name, parameter)
                if name.endswith(_INTO_RESIDUAL):
                    std /= smaller
                parameter.copy_(torch.empty(parameter.shape).normal_(0.0, std, generator=generator))
    with torch.no_grad():
        cast(Tensor, model.last_norm.weight).fill_(_last_gain(model))


def check_tied(model: Transformer) -> None:
    """Raises RuntimeError when `tied_head` is set and the output matrix is not the token embedding itself."""
    if model.config.tied_head and not _share_storage(model.output_weight, model.token_embedding.weight):
        raise RuntimeError(
            "model.tied_head is on, but the output matrix and the token embedding are two matrices: they would "
            "drift apart in training. Load weights with load_state_dict and do not replace parameters."
        )


def _deviation(model: Transformer, name: str, parameter: nn.Parameter) -> float:
    """Glorot & Bengio 2010, 4.2.1 (xavier), and He et al. 2015, 2.2 (he), by the width of each matrix."""
    if model.config.init == "normal" or "embedding" in name or name in ("head_weight", "classifier.weight"):
        return model.config.init_std
    fan_out, fan_in = parameter.shape
    if name.endswith("qkv.weight"):
        fan_out //= 3  # three matrices, drawn as one
    return math.sqrt(2 / (fan_in + fan_out)) if model.config.init == "xavier" else math.sqrt(2 / fan_in)


def _last_gain(model: Transformer) -> float:
    """First weight of the norm whose output meets the output matrix; 1 at usual sizes and deviations.

    Logits of a normed vector have deviation init_std · √H, which is kept to 0.7: the loss starts at most 0.25 nats
    above ln(vocabulary). After post-norm and with a tied head, a token's vector still points along its own
    embedding, and that one logit is about init_std · H: kept to 2, a few tokens' worth of probability.
    """
    config = model.config
    gain = min(1.0, 0.7 / (config.init_std * math.sqrt(config.hidden_size)))
    if config.norm_place == "post" and config.tied_head and not config.head_transform:
        gain = min(gain, 2 / (config.init_std * config.hidden_size))
    return gain


def _share_storage(first: Tensor, second: Tensor) -> bool:
    return first.data_ptr() == second.data_ptr() and first.shape == second.shape
