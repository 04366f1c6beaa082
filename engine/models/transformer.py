"""A pre-norm transformer encoder with a tied masked-LM head."""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from presets.schema import ModelConfig

_ROTARY_BASE = 10_000.0


class Transformer(nn.Module):
    """Token and position embeddings, blocks, a final norm; the token embedding is also the output matrix.

    labels: names of the classes that `classify` tells apart; none for a language model.
    """

    def __init__(
        self,
        config: ModelConfig,
        vocab_size: int,
        length: int,
        *,
        is_causal: bool = False,
        labels: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        self.config = config
        self.vocab_size = vocab_size
        self.length = length
        self.is_causal = is_causal
        self.labels = labels
        self.token_embedding = nn.Embedding(vocab_size, config.hidden_size)
        if config.positions == "learned":
            self.position_embedding = nn.Parameter(torch.empty(length, config.hidden_size))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.final_norm = nn.LayerNorm(config.hidden_size)
        self.head_bias = nn.Parameter(torch.zeros(vocab_size))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, inputs: Tensor, lengths: Tensor | None) -> Tensor:
        """Hidden states (B, L, H). inputs: (B, L) ids. lengths: (B,) real tokens, or None if nothing is padded.

        Padding is never attended to; its own hidden states mean nothing.
        """
        length = inputs.shape[1]
        hidden = self.token_embedding(inputs)
        rotation = None
        if self.config.positions == "learned":
            hidden = hidden + self.position_embedding[:length]
        else:
            head_size = self.config.hidden_size // self.config.num_heads
            rotation = rotary_table(length, head_size, inputs.device)
        visible = None
        if lengths is not None:
            visible = (torch.arange(length, device=inputs.device) < lengths[:, None])[:, None, None, :]
        hidden = self.dropout(hidden)
        for block in self.blocks:
            hidden = block(hidden, visible, rotation)
        normed: Tensor = self.final_norm(hidden)
        return normed

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores (..., V) over the whole vocabulary. hidden: (..., H) final hidden states."""
        return F.linear(hidden, self.token_embedding.weight, self.head_bias.to(hidden.dtype))

    def initialise(self, seed: int) -> None:
        """Draw all weights from one seed: normal, the outputs of each block scaled down with depth.

        The small deviation starts the loss at ln(vocabulary): logits are nearly 0. Blocks write into the
        residual stream with deviation init_std / sqrt(2 · layers) (Radford et al. 2019, 2.3).
        """
        generator = torch.Generator().manual_seed(seed)
        std = self.config.init_std
        into_residual = std / math.sqrt(2 * self.config.num_layers)
        for name, parameter in self.named_parameters():
            with torch.no_grad():
                if "norm" in name:
                    parameter.fill_(1.0 if name.endswith("weight") else 0.0)
                elif name.endswith("bias"):
                    parameter.zero_()
                else:
                    is_output = name.endswith(("attention.out.weight", "down.weight"))
                    parameter.copy_(
                        torch.empty(parameter.shape).normal_(
                            0.0, into_residual if is_output else std, generator=generator
                        )
                    )


class Block(nn.Module):
    """Attention, then a feed-forward part, each on a normed copy and added back (Xiong et al. 2020)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.hidden_size)
        self.attention = Attention(config)
        self.feed_forward_norm = nn.LayerNorm(config.hidden_size)
        self.up = nn.Linear(config.hidden_size, config.feed_forward_size)
        self.down = nn.Linear(config.feed_forward_size, config.hidden_size)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, hidden: Tensor, visible: Tensor | None, rotation: Tensor | None) -> Tensor:
        """hidden: (B, L, H). visible: (B, 1, 1, L) true where a key may be seen. rotation: see rotary_table."""
        hidden = hidden + cast(
            Tensor, self.dropout(self.attention(self.attention_norm(hidden), visible, rotation))
        )
        inner = F.gelu(self.up(self.feed_forward_norm(hidden)), approximate="tanh")
        return hidden + cast(Tensor, self.dropout(self.down(inner)))


class Attention(nn.Module):
    """Multi-head self-attention over all visible tokens."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        self.dropout = config.dropout
        self.qkv = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.out = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, hidden: Tensor, visible: Tensor | None, rotation: Tensor | None) -> Tensor:
        """hidden: (B, L, H) → (B, L, H)."""
        batch, length, size = hidden.shape
        qkv = self.qkv(hidden).view(batch, length, 3, self.num_heads, -1)
        query_key, value = qkv[:, :, :2], qkv[:, :, 2].transpose(1, 2)
        if rotation is not None:
            query_key = rotate(query_key, rotation)
        query, key = query_key.permute(2, 0, 3, 1, 4).unbind(0)
        dropout = self.dropout if self.training else 0.0
        if query.is_cuda or query.dtype == torch.float32:
            mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=visible, dropout_p=dropout)
        else:
            mixed = _written_out_attention(query, key, value, visible, dropout)
        merged: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, length, size))
        return merged


def _written_out_attention(
    query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None, dropout: float
) -> Tensor:
    """softmax(Q Kᵀ / √d) V as three operations: in bf16 on CPUs far faster than the fused kernel."""
    scores = (query / math.sqrt(query.shape[-1])) @ key.transpose(-2, -1)
    if visible is not None:
        scores = scores.masked_fill(~visible, float("-inf"))
    weights = torch.softmax(scores, dim=-1)
    if dropout:
        weights = F.dropout(weights, dropout)
    return weights @ value


def rotary_table(length: int, head_size: int, device: torch.device) -> Tensor:
    """(L, D/2) complex: every position's turn for each pair of a head's numbers (Su et al. 2021, 3.4.2)."""
    exponent = torch.arange(0, head_size, 2, device=device, dtype=torch.float32) / head_size
    angles = torch.arange(length, device=device, dtype=torch.float32)[:, None] * _ROTARY_BASE**-exponent
    return torch.polar(torch.ones_like(angles), angles)


def rotate(vectors: Tensor, rotation: Tensor) -> Tensor:
    """Turn each pair (2i, 2i + 1) of (B, L, n, heads, D) by its position's angle.

    As complex numbers: on CPUs 1.7 times as fast as with halves that are cut and joined (docs/log.md).
    """
    pairs = torch.view_as_complex(vectors.float().view(*vectors.shape[:-1], -1, 2))
    turned = torch.view_as_real(pairs * rotation[:, None, None]).flatten(-2)
    return turned.to(vectors.dtype)
