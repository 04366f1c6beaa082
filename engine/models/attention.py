"""Multi-head self-attention, over all visible tokens or over those that stand before."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.models.positions import rotate
from presets.schema import ModelConfig


class Attention(nn.Module):
    """Queries, keys and values from one matrix; heads mixed by a second (Vaswani et al. 2017, 3.2)."""

    def __init__(self, config: ModelConfig, *, is_causal: bool) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        self.dropout = config.attention_dropout
        self.is_causal = is_causal
        self.qkv = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.out = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, hidden: Tensor, visible: Tensor | None, rotation: Tensor | None) -> Tensor:
        """hidden: (B, L, H) → (B, L, H). visible: (B, 1, 1, L), None when causal. rotation: see rotary_table."""
        batch, length, size = hidden.shape
        # unbind, and not slices: its backward joins three gradients once, instead of filling zeros around each
        query, key, value = self.qkv(hidden).view(batch, length, 3, self.num_heads, -1).unbind(2)
        if rotation is not None:
            query, key = rotate(query, rotation), rotate(key, rotation)
        query, key, value = query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)
        dropout = self.dropout if self.training else 0.0
        if query.is_cuda or query.dtype == torch.float32:
            mixed = F.scaled_dot_product_attention(
                query, key, value, attn_mask=visible, dropout_p=dropout, is_causal=self.is_causal
            )
        else:
            mixed = written_out_attention(query, key, value, visible, dropout, is_causal=self.is_causal)
        merged: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, length, size))
        return merged


def written_out_attention(
    query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None, dropout: float, *, is_causal: bool
) -> Tensor:
    """softmax(Q Kᵀ / √d) V as three operations: in bf16 on CPUs far faster than the fused kernel.

    query, key, value: (B, heads, L, D). visible: (B, 1, 1, L), true where a key may be seen.
    """
    scores = (query / math.sqrt(query.shape[-1])) @ key.transpose(-2, -1)
    if is_causal:
        later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
        scores = scores.masked_fill(later, float("-inf"))
    if visible is not None:
        scores = scores.masked_fill(~visible, float("-inf"))
    weights = torch.softmax(scores, dim=-1)
    if dropout:
        weights = F.dropout(weights, dropout)
    return weights @ value
