"""The settings of the optimisation: rate, length of the run, precision, and what grows while it lasts."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from presets.fields import field


class OptimConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The optimizer, its learning-rate schedule, and clipping."""

    algorithm: Annotated[
        Literal["adamw", "lion", "muon", "adamw8bit"],
        field(
            "optimizer",
            "muon is for matrices, with adamw for the rest; lion wants about a third of AdamW's rate; adamw8bit "
            "keeps the state of the blocks' matrices in 8 bits and needs a GPU.",
        ),
    ] = "adamw"

    lr: Annotated[
        float,
        field(
            "learning rate", "The schedule's highest learning rate.",
            gt=0.0, le=1.0, usual="learning rates are usually 1e-5 to 1e-2",
        ),
    ] = 1e-3  # fmt: skip
    schedule: Annotated[
        Literal["linear", "cosine", "constant", "wsd", "inverse_sqrt"],
        field("schedule", "How the rate goes on after warm-up; wsd is warm-up, stable, then a short decay."),
    ] = "linear"
    warmup_ratio: Annotated[
        float, field("warm-up", "Share of all steps in which the rate grows from 0.", ge=0.0, le=0.9)
    ] = 0.1
    decay_ratio: Annotated[
        float,
        field("wsd decay", "Share of all steps at the end in which wsd decays.", ge=0.0, le=1.0, advanced=True),
    ] = 0.2
    final_lr_ratio: Annotated[
        float,
        field(
            "final rate", "Where linear, cosine and wsd end, as a share of the learning rate.",
            ge=0.0, le=1.0, advanced=True,
        ),
    ] = 0.0  # fmt: skip
    weight_decay: Annotated[
        float, field("weight decay", "Decoupled decay; biases and norms have none.", ge=0.0, le=1.0)
    ] = 0.01
    beta1: Annotated[
        float, field("beta 1", "Decay of the mean of gradients.", ge=0.0, le=0.9999, advanced=True)
    ] = 0.9
    beta2: Annotated[
        float, field("beta 2", "Decay of the mean of squares.", ge=0.0, le=0.99999, advanced=True)
    ] = 0.98
    eps: Annotated[float, field("epsilon", "AdamW's divisor floor.", gt=0.0, le=1.0, advanced=True)] = 1e-8
    clip_norm: Annotated[
        float, field("gradient clip", "Largest norm of the gradient.", ge=0.0, le=1e6, zero="off")
    ] = 1.0
    ema_decay: Annotated[
        float,
        field(
            "average of weights", "Decay of an exponential moving average; evaluations and probes use it.",
            ge=0.0, le=0.99999, zero="off", usual="0.99 to 0.9999", advanced=True,
        ),
    ] = 0.0  # fmt: skip


class TrainConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long, how much at once, and what is written down on the way."""

    batch_size: Annotated[
        int,
        field("batch", "Sequences of one forward pass on one device.", unit="sequences", ge=1, le=65_536),
    ] = 32
    accumulation_steps: Annotated[
        int, field("accumulation", "Forward passes summed into one update.", unit="passes", ge=1, le=4096)
    ] = 1
    epochs: Annotated[int, field("epochs", "Passes over the training split.", ge=1, le=100_000)] = 3
    max_steps: Annotated[
        int,
        field(
            "steps", "Updates to make, instead of counting epochs.",
            unit="steps", ge=0, le=10**9, zero="by epochs",
        ),
    ] = 0  # fmt: skip
    log_every: Annotated[
        int, field("log every", "Steps between recorded training losses.", unit="steps", ge=1, le=10**6)
    ] = 10
    eval_every: Annotated[
        int, field("evaluate every", "Steps between evaluations.", unit="steps", ge=1, le=10**9)
    ] = 100
    eval_rows: Annotated[
        int,
        field(
            "evaluation rows", "Validation sequences of one evaluation.",
            unit="sequences", ge=0, zero="all",
        ),
    ] = 1024  # fmt: skip
    checkpoint_every: Annotated[
        int, field("checkpoint every", "Steps between checkpoints.", unit="steps", ge=1, le=10**9)
    ] = 200
    keep_checkpoints: Annotated[
        int,
        field(
            "keep checkpoints", "Newest checkpoints kept, besides the best.", ge=2, le=1000,
            usual="a single one would leave nothing to fall back to when it is damaged",
        ),
    ] = 3  # fmt: skip
    early_stopping_patience: Annotated[
        int,
        field(
            "early stopping", "Evaluations without a better loss after which the run ends.",
            unit="evaluations", ge=0, le=10_000, zero="off",
        ),
    ] = 0  # fmt: skip
    early_stopping_min_delta: Annotated[
        float,
        field(
            "least improvement", "Smaller gains do not count as better.",
            unit="nats", ge=0.0, le=10.0, advanced=True,
        ),
    ] = 0.0  # fmt: skip
    max_skipped_updates: Annotated[
        int,
        field(
            "skipped updates", "So many updates in a row without a finite gradient end the run.",
            unit="updates", ge=1, le=10_000, advanced=True,
        ),
    ] = 20  # fmt: skip
    seed: Annotated[
        int, field("seed", "Decides initial weights, order, masks and dropout.", ge=0, le=2**31 - 1)
    ] = 0
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "fp16"],
        field(
            "precision",
            "auto takes bf16 only where it is measured to be faster at this size; fp16 scales the loss.",
        ),
    ] = "auto"
    compile: Annotated[
        Literal["auto", "on", "off"],
        field(
            "compile", "torch.compile: half a minute before the first step; auto leaves it off (docs/log.md).",
            advanced=True,
        ),
    ] = "auto"  # fmt: skip
    cuda_graphs: Annotated[
        bool,
        field(
            "CUDA graphs",
            "Replay a recorded step on GPUs: launching its kernels one by one is most of a small model's time.",
            advanced=True,
        ),
    ] = True
    activation_checkpointing: Annotated[
        bool,
        field(
            "act. checkpointing", "Compute activations a second time instead of keeping them: less memory, about "
            "a third slower.", advanced=True,
        ),
    ] = False  # fmt: skip
    fit_batch: Annotated[
        bool,
        field(
            "fit the batch", "When memory runs out, halve the batch and double the accumulation; the global batch "
            "stays.", advanced=True,
        ),
    ] = True  # fmt: skip


class CurriculumConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What begins easy and grows; against a run without it, compare at the same number of tokens."""

    start_length: Annotated[
        int,
        field(
            "first length", "Sequences begin with so many tokens and grow to the sequence length.",
            unit="tokens", ge=0, le=8192, zero="full length from the start", advanced=True,
        ),
    ] = 0  # fmt: skip
    length_share: Annotated[
        float,
        field("until full", "Share of all steps after which sequences have their full length.",
              gt=0.0, le=1.0, advanced=True),
    ] = 0.5  # fmt: skip
    order: Annotated[
        Literal["none", "rarity", "length"],
        field(
            "difficulty",
            "Begin with easy sequences: frequent words (rarity) or short ones (length).",
            advanced=True,
        ),
    ] = "none"
    start_share: Annotated[
        float,
        field("easy share", "Share of the sequences, the easiest ones, that the run begins with.",
              gt=0.0, le=1.0, advanced=True),
    ] = 0.2  # fmt: skip
    order_share: Annotated[
        float,
        field("until all", "Share of all steps after which all sequences take part.",
              gt=0.0, le=1.0, advanced=True),
    ] = 0.5  # fmt: skip
