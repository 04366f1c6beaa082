"""The settings of the model and of what it learns to do."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from presets.fields import field

MASK_TOKEN = "[MASK]"
EVALUATION_MASK_RATE = 0.15  # whatever the training rate, so that runs compare

ObjectiveKind = Literal["mlm", "clm", "nsp", "sop", "classification"]


class ModelConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A transformer: an encoder, or a decoder when the objective is causal."""

    hidden_size: Annotated[
        int, field("hidden size", "Width of every token's vector.", unit="units", ge=1, le=8192)
    ] = 128
    num_layers: Annotated[int, field("layers", "Transformer blocks, one after the other.", ge=1, le=128)] = 2
    num_heads: Annotated[int, field("heads", "Attention heads; must divide the hidden size.", ge=1, le=128)] = 2
    intermediate_size: Annotated[
        int,
        field(
            "feed-forward size", "Width inside the feed-forward part.",
            unit="units", ge=0, le=65_536, zero="4 × hidden size, 8/3 × of gated units",
        ),
    ] = 0  # fmt: skip
    activation: Annotated[
        Literal["gelu", "relu", "geglu", "swiglu"],
        field("activation", "Of the feed-forward part; geglu and swiglu are gated units with a third matrix."),
    ] = "gelu"
    norm: Annotated[
        Literal["layernorm", "rmsnorm"],
        field("norm", "RMSNorm neither centres nor shifts: a little cheaper.", advanced=True),
    ] = "layernorm"
    norm_place: Annotated[
        Literal["pre", "post"],
        field(
            "norm place", "pre norms what a part reads and trains at high rates; post is the first BERT's.",
            advanced=True,
        ),
    ] = "pre"  # fmt: skip
    positions: Annotated[
        Literal["learned", "rotary", "sinusoidal"],
        field("positions", "Learned position vectors, rotation of queries and keys (RoPE), or fixed waves."),
    ] = "learned"
    segments: Annotated[
        int,
        field(
            "segments", "Embeddings that tell the first text of a pair from the second; nsp and sop need 2.",
            ge=0, le=16, zero="none", advanced=True,
        ),
    ] = 0  # fmt: skip
    tied_head: Annotated[
        bool, field("tied head", "The token embedding is also the output matrix.", advanced=True)
    ] = True
    head_transform: Annotated[
        bool,
        field("head transform", "BERT's dense layer and norm between the encoder and the output.", advanced=True),
    ] = False
    dropout: Annotated[
        float,
        field(
            "dropout", "Share of each part's output dropped in training.",
            ge=0.0, le=0.9, usual="0 for one or few epochs, 0.1 when data repeat often",
        ),
    ] = 0.0  # fmt: skip
    attention_dropout: Annotated[
        float, field("attention dropout", "Share of attention weights dropped.", ge=0.0, le=0.9, advanced=True)
    ] = 0.0
    embedding_dropout: Annotated[
        float, field("embedding dropout", "Share of the embeddings dropped.", ge=0.0, le=0.9, advanced=True)
    ] = 0.0
    init: Annotated[
        Literal["normal", "xavier", "he"],
        field(
            "initial weights", "normal draws all with one deviation; Xavier and He by the width of each matrix.",
            advanced=True,
        ),
    ] = "normal"  # fmt: skip
    init_std: Annotated[
        float,
        field(
            "initial deviation",
            "Standard deviation of embeddings and normal weights; 0.02 starts the loss at ln(vocabulary).",
            gt=0.0,
            le=1.0,
            usual="0.02",
            advanced=True,
        ),
    ] = 0.02
    start_from: Annotated[
        str,
        field(
            "start from",
            "A run whose checkpoint gives model, weights and tokenizer: run:NAME, run:NAME@best, run:NAME@1000.",
        ),
    ] = ""

    @property
    def is_gated(self) -> bool:
        """Whether the feed-forward part has a gate beside its input matrix."""
        return self.activation in ("geglu", "swiglu")

    @property
    def feed_forward_size(self) -> int:
        """Width inside the feed-forward part, with the default resolved: as many weights, gated or not."""
        return self.intermediate_size or (8 * self.hidden_size // 3 if self.is_gated else 4 * self.hidden_size)


class ObjectiveConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is predicted from what."""

    kind: Annotated[
        ObjectiveKind,
        field(
            "objective",
            "mlm: hidden tokens (BERT); clm: the next token (GPT); nsp, sop: hidden tokens, and whether two texts "
            "belong together or are in order; classification: a label for each text.",
        ),
    ] = "mlm"
    mask_rate: Annotated[
        float,
        field(
            "mask rate", "Share of a sequence's tokens to predict; evaluation always uses 0.15.",
            gt=0.0, le=0.9, usual="0.15 to 0.4",
        ),
    ] = 0.15  # fmt: skip
    mask_rate_end: Annotated[
        float,
        field(
            "final mask rate", "The rate goes there in a straight line over the run.",
            ge=0.0, le=0.9, zero="as at the start", advanced=True,
        ),
    ] = 0.0  # fmt: skip
    whole_words: Annotated[
        bool, field("whole words", "Hide all pieces of a word together; evaluation never does.", advanced=True)
    ] = False
    mask_token_share: Annotated[
        float,
        field("of these, [MASK]", "Share of chosen tokens replaced by [MASK].", ge=0.0, le=1.0, advanced=True),
    ] = 0.8
    random_token_share: Annotated[
        float,
        field(
            "of these, random",
            "Share of chosen tokens replaced by a random one.",
            ge=0.0,
            le=1.0,
            advanced=True,
        ),
    ] = 0.1
    mlm_weight: Annotated[
        float,
        field(
            "weight of masks", "With nsp and sop: how much the masked tokens count beside the pair.",
            ge=0.0, le=100.0, zero="the pair alone", advanced=True,
        ),
    ] = 1.0  # fmt: skip
    label_smoothing: Annotated[
        float,
        field(
            "label smoothing", "Share of each target spread over all answers, in training only.",
            ge=0.0, le=0.9, advanced=True,
        ),
    ] = 0.0  # fmt: skip

    @property
    def is_causal(self) -> bool:
        """Whether a token sees only what stands before it."""
        return self.kind == "clm"

    @property
    def has_labels(self) -> bool:
        """Whether every text comes with a label that is predicted."""
        return self.kind == "classification"

    @property
    def has_masks(self) -> bool:
        """Whether tokens are hidden and predicted."""
        return self.kind in ("mlm", "nsp", "sop") and not (self.kind != "mlm" and self.mlm_weight == 0)
