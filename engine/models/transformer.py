"""The transformer: embeddings, blocks, and the heads that predict tokens and labels."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from engine.models.activations import gelu
from engine.models.block import Block, build_norm
from engine.models.initial_weights import draw_weights
from engine.models.positions import rotary_table, sinusoidal_table
from presets.schema import ModelConfig


class Transformer(nn.Module):
    """An encoder, or a decoder when `is_causal`; hidden states out, scores from `logits` or `classify`.

    labels: names of the classes that `classify` tells apart; none for a language model.
    checkpoints_activations: compute each block a second time in backward instead of keeping what it computed
    (Chen et al. 2016); loss and gradients are the same to the bit.
    """

    _waves: Tensor
    _rotation: Tensor

    def __init__(
        self,
        config: ModelConfig,
        vocab_size: int,
        length: int,
        *,
        is_causal: bool = False,
        labels: tuple[str, ...] = (),
        checkpoints_activations: bool = False,
    ) -> None:
        super().__init__()
        self.config = config
        self.vocab_size = vocab_size
        self.length = length
        self.is_causal = is_causal
        self.labels = labels
        self.checkpoints_activations = checkpoints_activations
        hidden_size = config.hidden_size
        self.token_embedding = nn.Embedding(vocab_size, hidden_size)
        if config.positions == "learned":
            self.position_embedding = nn.Parameter(torch.empty(length, hidden_size))
        elif config.positions == "sinusoidal":
            waves = sinusoidal_table(length, hidden_size, config.init_std)
            self.register_buffer("_waves", waves, persistent=False)
        else:
            rotation = rotary_table(length, hidden_size // config.num_heads)
            self.register_buffer("_rotation", rotation, persistent=False)
        if config.segments:
            self.segment_embedding = nn.Embedding(config.segments, hidden_size)
        if config.norm_place == "post":
            self.embedding_norm = build_norm(config)
        self.blocks = nn.ModuleList(Block(config, is_causal=is_causal) for _ in range(config.num_layers))
        if config.norm_place == "pre":
            self.final_norm = build_norm(config)
        if config.head_transform:
            self.head_dense = nn.Linear(hidden_size, hidden_size)
            self.head_norm = build_norm(config)
        if not config.tied_head:
            self.head_weight = nn.Parameter(torch.empty(vocab_size, hidden_size))
        self.head_bias = nn.Parameter(torch.zeros(vocab_size))
        if labels:
            self.pooler = nn.Linear(hidden_size, hidden_size)
            self.classifier = nn.Linear(hidden_size, len(labels))
        self.embedding_dropout = nn.Dropout(config.embedding_dropout)
        self.dropout = nn.Dropout(config.dropout)

    @property
    def has_dropout(self) -> bool:
        """Whether training draws random numbers, which must then be seeded at every step."""
        return max(self.config.dropout, self.config.attention_dropout, self.config.embedding_dropout) > 0

    @property
    def output_weight(self) -> Tensor:
        """(V, H): the token embedding itself when the head is tied (Press & Wolf 2017), else its own matrix."""
        return self.token_embedding.weight if self.config.tied_head else self.head_weight

    @property
    def last_norm(self) -> nn.Module:
        """The norm whose output meets the output matrix."""
        if self.config.head_transform:
            return self.head_norm
        return (
            self.final_norm if self.config.norm_place == "pre" else cast(Block, self.blocks[-1]).feed_forward_norm
        )

    def forward(self, inputs: Tensor, lengths: Tensor | None, segments: Tensor | None = None) -> Tensor:
        """Hidden states (B, L, H). inputs: (B, L) ids. lengths: (B,) real tokens, or None if nothing is padded.

        segments: (B, L) ids below `config.segments`; None is segment 0 everywhere. Padding, always at the end, is
        never attended to; its own hidden states mean nothing. Raises ValueError for sequences that are too long
        and for segments that the model has no embeddings for.
        """
        length = inputs.shape[1]
        if length > self.length:
            raise ValueError(f"{length} tokens, and the model was built for {self.length} (data.sequence_length)")
        visible = None
        if lengths is not None and not self.is_causal:  # padding comes last: causal tokens do not see it anyway
            visible = (torch.arange(length, device=inputs.device) < lengths[:, None])[:, None, None, :]
        rotation = self._rotation[:length] if self.config.positions == "rotary" else None
        hidden = self._embed(inputs, segments)
        for block in self.blocks:
            if self.checkpoints_activations and torch.is_grad_enabled():
                hidden = checkpoint(
                    block, hidden, visible, rotation, use_reentrant=False, preserve_rng_state=self.has_dropout
                )
            else:
                hidden = block(hidden, visible, rotation)
        return cast(Tensor, self.final_norm(hidden)) if self.config.norm_place == "pre" else hidden

    def head_features(self, hidden: Tensor) -> Tensor:
        """What the output matrix is applied to, (..., H): BERT's dense layer and norm, or `hidden` itself."""
        if not self.config.head_transform:
            return hidden
        return cast(Tensor, self.head_norm(gelu(self.head_dense(hidden))))

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores (..., V) over the whole vocabulary. hidden: (..., H) final hidden states."""
        features = self.head_features(hidden)
        return F.linear(features, self.output_weight, self.head_bias.to(features.dtype))

    def classify(self, hidden: Tensor) -> Tensor:
        """Scores (B, C) of the labels, from the first position of (B, L, H) (Devlin et al. 2019, 3.1)."""
        if not self.labels:
            raise ValueError("this model was built without labels, so it has nothing to classify with")
        return cast(Tensor, self.classifier(self.dropout(torch.tanh(self.pooler(hidden[:, 0])))))

    def initialise(self, seed: int) -> None:
        """Draw all weights from one seed: see `draw_weights`."""
        draw_weights(self, seed)

    def _embed(self, inputs: Tensor, segments: Tensor | None) -> Tensor:
        length = inputs.shape[1]
        hidden: Tensor = self.token_embedding(inputs)
        if self.config.positions == "learned":
            hidden = hidden + self.position_embedding[:length]
        elif self.config.positions == "sinusoidal":
            hidden = hidden + self._waves[:length]
        if self.config.segments:
            which = torch.zeros_like(inputs) if segments is None else segments
            hidden = hidden + self.segment_embedding(which)
        elif segments is not None:
            raise ValueError("segments were given, and the model has no embeddings for them (model.segments)")
        if self.config.norm_place == "post":
            hidden = self.embedding_norm(hidden)
        return cast(Tensor, self.embedding_dropout(hidden))
