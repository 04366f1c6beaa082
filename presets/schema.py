"""The one tree of settings: form, command line, preset checks, config diff and reference are made from it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from presets.data_schema import NUM_SPECIAL_TOKENS, DataConfig
from presets.fields import FieldSpec, field, specs_of
from presets.model_schema import EVALUATION_MASK_RATE, MASK_TOKEN, ModelConfig, ObjectiveConfig
from presets.training_schema import CurriculumConfig, OptimConfig, TrainConfig

__all__ = [
    "EVALUATION_MASK_RATE",
    "MASK_TOKEN",
    "NUM_SPECIAL_TOKENS",
    "CurriculumConfig",
    "DataConfig",
    "ModelConfig",
    "ObjectiveConfig",
    "OptimConfig",
    "TrainConfig",
]

DEFAULT_PROBES = (
    "the people of the united [MASK] => states",
    "the president of the united states sent a [MASK] to congress => message",
    "we must protect our [MASK] and our freedom",
)


class ProbesConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sentences that the model completes, continues or classifies while it trains."""

    texts: Annotated[
        tuple[str, ...],
        field(
            "sentences",
            "One a line: with at least one [MASK] each, or a beginning for a causal model. After => may stand the "
            "words that belong there, one for each mask, whose rank is followed: the united [MASK] => states.",
        ),
    ] = DEFAULT_PROBES
    every: Annotated[int, field("probe every", "Steps between probes.", unit="steps", ge=1, le=10**9)] = 100
    top_k: Annotated[int, field("shown words", "Most probable words kept for each [MASK].", ge=1, le=100)] = 5
    new_tokens: Annotated[
        int,
        field("new tokens", "How far a causal model goes on.", unit="tokens", ge=1, le=4096, advanced=True),
    ] = 32
    temperature: Annotated[
        float,
        field(
            "temperature", "Of a causal model's draw.", ge=0.0, le=10.0, zero="always the likeliest", advanced=True
        ),
    ] = 0.8
    sample_top_k: Annotated[
        int,
        field("draw from", "The likeliest tokens of each draw.", unit="tokens", ge=0, zero="all", advanced=True),
    ] = 50
    top_p: Annotated[
        float,
        field("nucleus", "Draw from the likeliest tokens that make up this probability.",
              gt=0.0, le=1.0, advanced=True),
    ] = 1.0  # fmt: skip
    seed: Annotated[int, field("draw seed", "Of a causal model's draws.", ge=0, le=2**31 - 1, advanced=True)] = 0


class LaunchConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """On what the run runs."""

    device: Annotated[
        Literal["auto", "cpu", "cuda"], field("device", "auto takes the GPUs when there are any.")
    ] = "auto"
    num_processes: Annotated[
        int,
        field("processes", "One a GPU, on each machine; more than one starts torchrun.", ge=1, le=1024),
    ] = 1
    num_nodes: Annotated[
        int,
        field("machines", "Machines that train together, with the runs folder on storage they share.",
              ge=1, le=1024, advanced=True),
    ] = 1  # fmt: skip
    rendezvous: Annotated[
        str,
        field("rendezvous", "Where the machines meet: HOST:PORT of the first one.", advanced=True),
    ] = ""
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
    collective_timeout: Annotated[
        int,
        field(
            "collective timeout",
            "How long a process waits for the others before the run fails, as one of them hangs.",
            unit="s", ge=5, le=86_400, advanced=True,
        ),
    ] = 600  # fmt: skip


class RunConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything a run needs to be run again."""

    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    optim: OptimConfig = OptimConfig()
    train: TrainConfig = TrainConfig()
    curriculum: CurriculumConfig = CurriculumConfig()
    probes: ProbesConfig = ProbesConfig()
    launch: LaunchConfig = LaunchConfig()


SECTION_LABELS = {
    "data": "Data",
    "model": "Model",
    "objective": "Objective",
    "optim": "Optimisation",
    "train": "Training",
    "curriculum": "Curriculum",
    "probes": "Probes",
    "launch": "Launch",
}

FIELDS: tuple[FieldSpec, ...] = specs_of(RunConfig)
FIELD_BY_PATH: dict[str, FieldSpec] = {spec.path: spec for spec in FIELDS}
