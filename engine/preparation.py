"""Everything before the first step: data, model, objective, optimizer, and a checkpoint to go on from."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import torch
from torch import Tensor

from engine.baselines import frozen_targets, measure_baselines, measure_floor
from engine.checkpoints import CheckpointError, CheckpointStore, Loaded, TrainState
from engine.data.batches import SampleStream, SequenceStore
from engine.data.hashing import scalar_seed
from engine.data.token_cache import TokenCache
from engine.distributed import World
from engine.models.transformer import Transformer
from engine.objectives.mlm import MaskedLanguageModelling
from engine.optim import Optimizer
from engine.precision import Precision, choose_precision
from engine.recorder import Recorder
from engine.stopping import StopSignal
from engine.training_data import TrainingData, open_training_data
from presets.corpora import label
from presets.schema import RunConfig
from runs.events import AttemptStarted, CheckpointFellBack, Notice
from runs.folder import RunFolder

_OTHER_DATA = (
    "the data are not what they were when this checkpoint was saved (files changed, or the hub's dataset did): "
    "the run goes on with what is there now, and its samples and its validation are not the same any more"
)


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
    """(N,) the validation sequences that every evaluation scores."""
    samples: SampleStream
    model: Transformer
    objective: MaskedLanguageModelling
    optimizer: Optimizer
    checkpoints: CheckpointStore
    state: TrainState
    precision: Precision
    global_batch: int
    total_steps: int


def prepare(
    folder: RunFolder, config: RunConfig, world: World, recorder: Recorder, stop: StopSignal, resume: str
) -> Prepared:
    """Build all parts on this rank. Raises DataError, CheckpointError, StopRequested."""
    checkpoints = CheckpointStore(folder.checkpoints_dir)
    loaded = _load(checkpoints, resume, recorder) if resume else None
    tokenizer = checkpoints.folder / loaded.name / "tokenizer.json" if loaded else None
    samples_before = loaded.state.samples if loaded else 0
    data = open_training_data(config, samples_before, world, recorder, stop, tokenizer)
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
    vocab_size = data.cache.vocab_size
    model = Transformer(config.model, vocab_size, config.data.sequence_length)
    model.initialise(scalar_seed(config.train.seed, 0x1417))
    model.to(world.device)
    objective = MaskedLanguageModelling(
        config.objective, vocab_size, config.train.seed, hides_every_target=config.data.source == "synthetic"
    )
    optimizer = Optimizer(model, config.optim)
    state = TrainState()
    if loaded is not None:
        _continue(loaded, model, optimizer)
        state = loaded.state
        if state.data not in ("", data.judged.fingerprint):
            recorder.event(state.step, Notice(level="warning", message=_OTHER_DATA))
    precision, why = _precision(config, world, state)
    global_batch = config.train.batch_size * config.train.accumulation_steps * world.size
    epochs_of_samples = config.train.epochs * len(train)
    total_steps = config.train.max_steps or -(-epochs_of_samples // global_batch)
    prepared = Prepared(
        config=config,
        cache=data.cache,
        judged=data.judged,
        train=train,
        validation=validation,
        validation_rows=_evaluated_rows(len(validation), config.train.eval_rows).to(world.device),
        samples=data.samples,
        model=model,
        objective=objective,
        optimizer=optimizer,
        checkpoints=checkpoints,
        state=msgspec.structs.replace(state, precision=precision, data=data.judged.fingerprint),
        precision=precision,
        global_batch=global_batch,
        total_steps=total_steps,
    )
    _announce(prepared, world, recorder, why, loaded.name if loaded else "")
    return prepared


def _evaluated_rows(num_rows: int, wanted: int) -> Tensor:
    """Which validation sequences are scored: all, or a draw that is the same for every run and seed."""
    if not wanted or wanted >= num_rows:
        return torch.arange(num_rows)
    generator = torch.Generator().manual_seed(scalar_seed(0xE7A1))
    return torch.randperm(num_rows, generator=generator)[:wanted].sort().values


def _load(checkpoints: CheckpointStore, resume: str, recorder: Recorder) -> Loaded:
    loaded, fallback = checkpoints.load(resume)
    if fallback:
        event = CheckpointFellBack(wanted=checkpoints.resolve(resume), used=loaded.name, reason=fallback)
        recorder.event(loaded.state.step, event)
    return loaded


def _continue(loaded: Loaded, model: Transformer, optimizer: Optimizer) -> None:
    try:
        model.load_state_dict(loaded.model)
        optimizer.load_state(loaded.optimizer)
    except (RuntimeError, KeyError, ValueError) as error:
        raise CheckpointError(f"{loaded.name} does not fit this configuration: {error}") from error


def _precision(config: RunConfig, world: World, state: TrainState) -> tuple[Precision, str]:
    """A resumed run keeps the precision it was started with; otherwise rank 0 decides for all."""
    if state.precision in ("fp32", "bf16") and config.train.precision == "auto":
        kept: Precision = "bf16" if state.precision == "bf16" else "fp32"
        return kept, f"{kept}, as before"
    chosen: tuple[Precision, str] = world.from_main(
        choose_precision(config, world.device) if world.is_main else None
    )
    return chosen


def _announce(prepared: Prepared, world: World, recorder: Recorder, why: str, resumed_from: str) -> None:
    """Say what is about to run: sizes, data, baselines."""
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
        total_steps=prepared.total_steps,
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
    recorder.event(step, Notice(level="info", message=f"precision {why}"))
    if cache.vocab_size < config.data.vocab_size and config.data.source != "synthetic":  # its words are known
        message = (
            f"the training split has only {cache.vocab_size:,} different tokens; "
            f"the vocabulary is that large, not {config.data.vocab_size:,}"
        )
        recorder.event(step, Notice(level="warning", message=message))
    if not resumed_from:  # once a run: they follow from the data alone
        targets = frozen_targets(prepared.objective, prepared.validation, prepared.validation_rows)
        floor = measure_floor(config.data, prepared.objective, prepared.validation, prepared.validation_rows)
        recorder.event(step, measure_baselines(targets, torch.from_numpy(prepared.judged.token_counts), floor))
