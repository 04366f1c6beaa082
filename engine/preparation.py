"""Everything before the first step: data, model, objective, optimizer, and a checkpoint to go on from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import msgspec
import torch
from torch import Tensor

from engine.baselines import measure_floor
from engine.checkpoints import CheckpointError, CheckpointStore, Loaded, TrainState
from engine.compiling import compile_model, is_compiled, wants_compile
from engine.data.batches import SampleStream, SequenceStore
from engine.data.hashing import scalar_seed
from engine.data.token_cache import TokenCache
from engine.distributed import DeviceError, World
from engine.models.build import build_model
from engine.models.initial_weights import check_tied
from engine.models.transformer import Transformer
from engine.objectives import Objective
from engine.objectives.build import build_objective
from engine.optim import Optimizer
from engine.precision import Precision, choose_precision
from engine.recorder import Recorder
from engine.stopping import StopSignal
from engine.throughput import Throughput, measure_throughput
from engine.training_data import TrainingData, open_training_data
from engine.weights_from import labels_of, load_start
from presets.corpora import label
from presets.schema import RunConfig
from runs.events import AttemptStarted, Baselines, CheckpointFellBack, Notice
from runs.folder import RunFolder

_OTHER_DATA = (
    "the data are not what they were when this checkpoint was saved (files changed, or the hub's dataset did): "
    "the run goes on with what is there now, and its samples and its validation are not the same any more"
)
_MOST_LABELS = 20


@dataclass
class Prepared:
    """A run that is ready for its next step."""

    config: RunConfig
    cache: TokenCache
    judged: TokenCache
    """What evaluations and baselines rest on: the whole cache, or the first shard of a stream."""
    train: SequenceStore
    validation: SequenceStore
    validation_rows: Tensor
    """(N,) on the CPU: the validation sequences that every evaluation scores."""
    samples: SampleStream
    model: Transformer
    objective: Objective
    optimizer: Optimizer
    checkpoints: CheckpointStore
    state: TrainState
    precision: Precision
    global_batch: int
    total_steps: int
    baselines: Baselines | None = None
    """Of a fresh start, on rank 0."""
    throughput: Throughput | None = None
    """What speed is compared with; on rank 0, which records."""


def prepare(
    folder: RunFolder, config: RunConfig, world: World, recorder: Recorder, stop: StopSignal, resume: str
) -> Prepared:
    """Build all parts on this rank. Raises DataError, CheckpointError, DeviceError, StopRequested."""
    checkpoints = CheckpointStore(folder.checkpoints_dir)
    loaded = _load(checkpoints, resume, world, recorder)
    tokenizer = checkpoints.folder / loaded.name / "tokenizer.json" if loaded else None
    before = loaded.state if loaded else TrainState()
    if config.optim.algorithm == "adamw8bit" and world.device.type != "cuda":  # before minutes of reading text
        raise DeviceError(
            "optim.algorithm is adamw8bit, which needs a GPU, and the run is on the CPU; set "
            "optim.algorithm=adamw, or look at `tinytrain-tui doctor`"
        )
    data = open_training_data(config, before, world, recorder, stop, tokenizer)
    try:
        return _prepare(config, data, checkpoints, world, recorder, loaded)
    except BaseException:
        data.samples.close()
        raise


def _prepare(
    config: RunConfig,
    data: TrainingData,
    checkpoints: CheckpointStore,
    world: World,
    recorder: Recorder,
    loaded: Loaded | None,
) -> Prepared:
    """Model, optimizer and checkpoint for data that are open."""
    train, validation = data.train, data.validation
    model = build_model(config, data.cache.vocab_size, data.cache.labels)
    model.initialise(scalar_seed(config.train.seed, 0x1417))
    if config.model.start_from and loaded is None:
        runs = checkpoints.folder.parent.parent
        start = load_start(model, config.model.start_from, runs, data.cache.tokenizer)
        recorder.event(0, Notice(level="info", message=start.sentence()))
    model.to(world.device)
    objective = build_objective(config, data)
    state = TrainState()
    precision, why = _precision(config, world, loaded.state if loaded else state)
    optimizer = Optimizer(model, config.optim, precision)
    check_tied(model)
    if loaded is not None:
        _continue(loaded, model, optimizer, checkpoints.folder / loaded.name)
        state = loaded.state
        if state.data not in ("", data.judged.fingerprint):
            recorder.event(state.step, Notice(level="warning", message=_OTHER_DATA))
    global_batch = config.train.batch_size * config.train.accumulation_steps * world.size
    epochs_of_samples = config.train.epochs * len(train)
    total_steps = config.train.max_steps or -(-epochs_of_samples // global_batch)
    wants, why_compiled = wants_compile(config)
    if wants if state.compiled is None else state.compiled:
        compile_model(model)
    prepared = Prepared(
        config=config,
        cache=data.cache,
        judged=data.judged,
        train=train,
        validation=validation,
        validation_rows=evaluated_rows(len(validation), config.train.eval_rows),
        samples=data.samples,
        model=model,
        objective=objective,
        optimizer=optimizer,
        checkpoints=checkpoints,
        state=msgspec.structs.replace(
            state, precision=precision, data=data.judged.fingerprint, compiled=is_compiled(model)
        ),
        precision=precision,
        global_batch=global_batch,
        total_steps=total_steps,
    )
    _announce(prepared, world, recorder, f"precision {why}; {why_compiled}", loaded.name if loaded else "")
    return prepared


def evaluated_rows(num_rows: int, wanted: int) -> Tensor:
    """Which validation sequences are scored: all, or a draw that is the same for every run and seed."""
    if not wanted or wanted >= num_rows:
        return torch.arange(num_rows)
    generator = torch.Generator().manual_seed(scalar_seed(0xE7A1))
    return torch.randperm(num_rows, generator=generator)[:wanted].sort().values


def _load(checkpoints: CheckpointStore, resume: str, world: World, recorder: Recorder) -> Loaded | None:
    """What to go on from. Rank 0 decides which checkpoint that is, so that all go on from the same."""
    if world.is_main:
        checkpoints.clean_up()
    if not resume:
        return None
    name, fallback = world.from_main(checkpoints.choose(resume) if world.is_main else None)
    loaded, _ = checkpoints.load(name)
    if fallback and world.is_main:
        event = CheckpointFellBack(wanted=checkpoints.resolve(resume), used=name, reason=fallback)
        recorder.event(loaded.state.step, event)
    return loaded


def _continue(loaded: Loaded, model: Transformer, optimizer: Optimizer, folder: Path) -> None:
    """Bring weights and optimizer back. folder: of the checkpoint. Raises CheckpointError when they do not fit."""
    theirs = labels_of(folder)
    if theirs and theirs != model.labels:
        raise CheckpointError(
            f"{loaded.name} does not fit the data: it tells the labels {_listed(theirs)} apart, in this order, "
            f"and the data have {_listed(model.labels)} now; give the run the data it was started with"
        )
    try:
        model.load_state_dict(loaded.model)
        optimizer.load_state(loaded.optimizer)
    except (RuntimeError, KeyError, ValueError) as error:
        raise CheckpointError(f"{loaded.name} does not fit this configuration: {error}") from error


def _listed(labels: tuple[str, ...]) -> str:
    """The first ones in quotes, of very many."""
    more = f" … ({len(labels):,})" if len(labels) > _MOST_LABELS else ""
    return ", ".join(repr(label) for label in labels[:_MOST_LABELS]) + more


def _precision(config: RunConfig, world: World, state: TrainState) -> tuple[Precision, str]:
    """A resumed run keeps the precision it was started with; otherwise rank 0 decides for all."""
    if state.precision and config.train.precision == "auto":
        return cast(Precision, state.precision), f"{state.precision}, as before"
    chosen: tuple[Precision, str] = world.from_main(
        choose_precision(config, world.device) if world.is_main else None
    )
    return chosen


def _announce(prepared: Prepared, world: World, recorder: Recorder, why: str, resumed_from: str) -> None:
    """Say what is about to run: sizes, data, speed of the device, baselines."""
    if not world.is_main:
        return
    config, cache, step = prepared.config, prepared.cache, prepared.state.step
    judged = prepared.judged.validation
    started = AttemptStarted(
        dataset=label(config.data),
        device=str(world.device),
        precision=prepared.precision,
        num_processes=world.size,
        num_parameters=sum(parameter.numel() for parameter in prepared.model.parameters()),
        total_steps=prepared.state.total_steps or prepared.total_steps,
        vocab_size=cache.vocab_size,
        train_rows=len(prepared.train),
        validation_rows=len(prepared.validation),
        train_tokens=cache.train.tokens,
        tokens_per_step=prepared.global_batch * config.data.sequence_length,
        unknown_rate=judged.unknown / max(judged.tokens, 1),
        resumed_from=resumed_from,
        token_cache=cache.source.key,
        commit=cache.source.commit,
    )
    recorder.event(step, started)
    recorder.event(step, Notice(level="info", message=why))
    prepared.throughput = measure_throughput(
        config,
        cache.vocab_size,
        world.device,
        prepared.precision,
        global_batch=prepared.global_batch,
        num_processes=world.size,
        num_labels=len(prepared.model.labels),
    )
    speed = f"this device multiplies matrices at {prepared.throughput.matmul}"
    recorder.event(step, Notice(level="info", message=speed))
    is_learned = config.data.source != "synthetic" and config.data.tokenizer != "existing"
    if is_learned and cache.vocab_size < config.data.vocab_size:
        message = (
            f"the training split has only {cache.vocab_size:,} different tokens; "
            f"the vocabulary is that large, not {config.data.vocab_size:,}"
        )
        recorder.event(step, Notice(level="warning", message=message))
    if not resumed_from or recorder.attempt.number == 1:  # once a run, also of a fork: they follow from the data
        prepared.baselines = prepared.objective.baselines(prepared.validation, prepared.validation_rows)
        if config.objective.kind == "mlm":
            floor = measure_floor(config.data, prepared.objective, prepared.validation, prepared.validation_rows)
            prepared.baselines = msgspec.structs.replace(prepared.baselines, floor_loss=floor)
        recorder.event(step, prepared.baselines)
