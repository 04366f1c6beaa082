"""One layer: attention, then a feed-forward part, each added to the residual stream."""

from __future__ import annotations

from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from engine.models.activations import gelu
from engine.models.attention import Attention
from presets.schema import ModelConfig

_NORM_EPS = 1e-5


class Block(nn.Module):
    """Norms before each part (pre; Xiong et al. 2020) or after each sum (post; Vaswani et al. 2017)."""

    def __init__(self, config: ModelConfig, *, is_causal: bool) -> None:
        super().__init__()
        self.is_pre_norm = config.norm_place == "pre"
        self.activation = config.activation
        self.attention_norm = build_norm(config)
        self.attention = Attention(config, is_causal=is_causal)
        self.feed_forward_norm = build_norm(config)
        self.up = nn.Linear(config.hidden_size, config.feed_forward_size)
        if config.is_gated:
            self.gate = nn.Linear(config.hidden_size, config.feed_forward_size)
        self.down = nn.Linear(config.feed_forward_size, config.hidden_size)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, hidden: Tensor, visible: Tensor | None, rotation: Tensor | None) -> Tensor:
        """hidden: (B, L, H). visible: (B, 1, 1, L) true where a key may be seen. rotation: see rotary_table."""
        if self.is_pre_norm:
            hidden = hidden + self._attend(self.attention_norm(hidden), visible, rotation)
            return hidden + self._feed_forward(self.feed_forward_norm(hidden))
        hidden = self.attention_norm(hidden + self._attend(hidden, visible, rotation))
        return cast(Tensor, self.feed_forward_norm(hidden + self._feed_forward(hidden)))

    def _attend(self, hidden: Tensor, visible: Tensor | None, rotation: Tensor | None) -> Tensor:
        return cast(Tensor, self.dropout(self.attention(hidden, visible, rotation)))

    def _feed_forward(self, hidden: Tensor) -> Tensor:
        """Gated units multiply the input by an activated gate (Shazeer 2020)."""
        inner = self.up(hidden)
        if self.activation == "gelu":
            inner = gelu(inner)
        elif self.activation == "relu":
            inner = F.relu(inner)
        elif self.activation == "geglu":
            inner = gelu(self.gate(hidden)) * inner
        else:
            inner = F.silu(self.gate(hidden)) * inner
        return cast(Tensor, self.dropout(self.down(inner)))


def build_norm(config: ModelConfig) -> nn.Module:
    """LayerNorm, or RMSNorm, which neither centres nor shifts (Zhang & Sennrich 2019)."""
    kind = nn.LayerNorm if config.norm == "layernorm" else nn.RMSNorm
    return kind(config.hidden_size, eps=_NORM_EPS)
