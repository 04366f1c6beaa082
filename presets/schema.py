"""The one tree of settings: form, command line, preset checks, config diff and reference are made from it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from presets.data_schema import NUM_SPECIAL_TOKENS, DataConfig
from presets.fields import FieldSpec, field, specs_of

__all__ = ["NUM_SPECIAL_TOKENS", "DataConfig"]

MASK_TOKEN = "[MASK]"

DEFAULT_PROBES = (
    "the people of the united [MASK]",
    "the president of the united states sent a [MASK] to congress",
    "we must protect our [MASK] and our freedom",
)


class ModelConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A pre-norm transformer encoder with a tied masked-LM head."""

    hidden_size: Annotated[
        int, field("hidden size", "Width of every token's vector.", unit="units", ge=1, le=8192)
    ] = 128
    num_layers: Annotated[int, field("layers", "Transformer blocks, one after the other.", ge=1, le=128)] = 2
    num_heads: Annotated[int, field("heads", "Attention heads; must divide the hidden size.", ge=1, le=128)] = 2
    intermediate_size: Annotated[
        int,
        field(
            "feed-forward size", "Width inside the feed-forward part.",
            unit="units", ge=0, le=65_536, zero="4 × hidden size",
        ),
    ] = 0  # fmt: skip
    positions: Annotated[
        Literal["learned", "rotary"],
        field("positions", "Learned position vectors, or rotation of queries and keys (RoPE)."),
    ] = "learned"
    dropout: Annotated[
        float,
        field(
            "dropout", "Share of activations dropped in training.",
            ge=0.0, le=0.9, usual="0 for one or few epochs, 0.1 when data repeat often",
        ),
    ] = 0.0  # fmt: skip
    init_std: Annotated[
        float,
        field(
            "initial deviation",
            "Standard deviation of the initial weights; 0.02 starts the loss at ln(vocabulary).",
            gt=0.0,
            le=1.0,
            usual="0.02",
            advanced=True,
        ),
    ] = 0.02

    @property
    def feed_forward_size(self) -> int:
        """Width inside the feed-forward part, with the default resolved."""
        return self.intermediate_size or 4 * self.hidden_size


class ObjectiveConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Masked language modelling: what is hidden, and what stands in its place (Devlin et al. 2019, 3.1)."""

    mask_rate: Annotated[
        float,
        field(
            "mask rate", "Share of a sequence's tokens to predict; evaluation always uses 0.15.",
            gt=0.0, le=0.9, usual="0.15 to 0.4",
        ),
    ] = 0.15  # fmt: skip
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


class OptimConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """AdamW, its learning-rate schedule, and clipping."""

    lr: Annotated[
        float,
        field(
            "learning rate", "The schedule's highest learning rate.",
            gt=0.0, le=1.0, usual="learning rates are usually 1e-5 to 1e-2",
        ),
    ] = 1e-3  # fmt: skip
    schedule: Annotated[
        Literal["linear", "cosine", "constant", "wsd"],
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
    beta1: Annotated[float, field("beta 1", "AdamW's mean decay.", ge=0.0, le=0.9999, advanced=True)] = 0.9
    beta2: Annotated[float, field("beta 2", "AdamW's variance decay.", ge=0.0, le=0.99999, advanced=True)] = 0.98
    eps: Annotated[float, field("epsilon", "AdamW's divisor floor.", gt=0.0, le=1.0, advanced=True)] = 1e-8
    clip_norm: Annotated[
        float, field("gradient clip", "Largest norm of the gradient.", ge=0.0, le=1e6, zero="off")
    ] = 1.0


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
        field("keep checkpoints", "Newest checkpoints kept, besides the best.", ge=1, le=1000),
    ] = 3
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
    seed: Annotated[
        int, field("seed", "Decides initial weights, order, masks and dropout.", ge=0, le=2**31 - 1)
    ] = 0
    precision: Annotated[
        Literal["auto", "fp32", "bf16"],
        field("precision", "auto takes bf16 only where it is measured to be faster at this size."),
    ] = "auto"


class ProbesConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sentences with a [MASK] that are completed while the model trains."""

    texts: Annotated[tuple[str, ...], field("sentences", "One a line, each with at least one [MASK].")] = (
        DEFAULT_PROBES
    )
    every: Annotated[int, field("probe every", "Steps between probes.", unit="steps", ge=1, le=10**9)] = 100
    top_k: Annotated[int, field("shown words", "Most probable words kept for each [MASK].", ge=1, le=100)] = 5


class LaunchConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """On what the run runs."""

    device: Annotated[
        Literal["auto", "cpu", "cuda"], field("device", "auto takes the GPUs when there are any.")
    ] = "auto"
    num_processes: Annotated[
        int,
        field("processes", "One a GPU; more than one starts torchrun.", ge=1, le=1024),
    ] = 1
    threads: Annotated[
        int,
        field(
            "CPU threads", "Threads of each process for arithmetic on the CPU.",
            unit="threads", ge=0, le=1024, zero="all cores, shared by the processes",
        ),
    ] = 0  # fmt: skip
    stop_grace: Annotated[
        int,
        field(
            "stop grace", "How long a stopping run may take to save before it is killed.",
            unit="s", ge=1, le=86_400, advanced=True,
        ),
    ] = 60  # fmt: skip


class RunConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything a run needs to be run again."""

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    optim: OptimConfig = OptimConfig()
    train: TrainConfig = TrainConfig()
    probes: ProbesConfig = ProbesConfig()
    launch: LaunchConfig = LaunchConfig()


SECTION_LABELS = {
    "data": "Data",
    "model": "Model",
    "objective": "Objective",
    "optim": "Optimisation",
    "train": "Training",
    "probes": "Probes",
    "launch": "Launch",
}

FIELDS: tuple[FieldSpec, ...] = specs_of(RunConfig)
FIELD_BY_PATH: dict[str, FieldSpec] = {spec.path: spec for spec in FIELDS}
