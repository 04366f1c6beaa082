"""Everything before the first step: data, model, objective, optimizer, and a checkpoint to go on from."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import torch
from torch import Tensor

from engine.baselines import frozen_targets, measure_baselines
from engine.checkpoints import CheckpointError, CheckpointStore, TrainState
from engine.data.batches import SampleOrder, SequenceStore
from engine.data.hashing import scalar_seed
from engine.data.sources import DataError
from engine.data.token_cache import TokenCache, open_cache, open_or_build
from engine.distributed import World
from engine.models.transformer import Encoder
from engine.objectives.mlm import MaskedLanguageModelling
from engine.optim import Optimizer
from engine.precision import Precision, choose_precision
from engine.recorder import Recorder
from engine.stopping import StopRequested, StopSignal
from presets.corpora import label, token_cache_key
from presets.schema import RunConfig
from runs.events import AttemptStarted, CheckpointFellBack, Notice
from runs.folder import RunFolder, token_caches_dir


@dataclass
class Prepared:
    """A run that is ready for its next step."""

    config: RunConfig
    cache: TokenCache
    train: SequenceStore
    validation: SequenceStore
    validation_rows: Tensor
    """(N,) the validation sequences that every evaluation scores."""
    order: SampleOrder
    model: Encoder
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
    cache = _shared_cache(config, world, recorder, stop)
    train = SequenceStore(cache.train, config.data, world.device)
    validation = SequenceStore(cache.validation, config.data, world.device)
    for name, store in (("training", train), ("validation", validation)):
        if not len(store):
            raise DataError(f"the {name} split gives no sequence of {config.data.sequence_length} tokens")
    vocab_size = cache.manifest.vocab_size
    model = Encoder(config.model, vocab_size, config.data.sequence_length)
    model.initialise(scalar_seed(config.train.seed, 0x1417))
    model.to(world.device)
    objective = MaskedLanguageModelling(config.objective, vocab_size, config.train.seed)
    optimizer = Optimizer(model, config.optim)
    checkpoints = CheckpointStore(folder.checkpoints_dir)
    state = TrainState()
    resumed_from = ""
    if resume:
        state, resumed_from = _load(checkpoints, resume, model, optimizer, recorder)
    precision, why = _precision(config, world, state)
    global_batch = config.train.batch_size * config.train.accumulation_steps * world.size
    epochs_of_samples = config.train.epochs * len(train)
    total_steps = config.train.max_steps or -(-epochs_of_samples // global_batch)
    prepared = Prepared(
        config=config,
        cache=cache,
        train=train,
        validation=validation,
        validation_rows=_evaluated_rows(len(validation), config.train.eval_rows).to(world.device),
        order=SampleOrder(len(train), config.train.seed),
        model=model,
        objective=objective,
        optimizer=optimizer,
        checkpoints=checkpoints,
        state=msgspec.structs.replace(state, precision=precision),
        precision=precision,
        global_batch=global_batch,
        total_steps=total_steps,
    )
    _announce(prepared, world, recorder, why, resumed_from)
    return prepared


def _shared_cache(config: RunConfig, world: World, recorder: Recorder, stop: StopSignal) -> TokenCache:
    """Rank 0 builds or verifies the token cache; the others wait for its word and map the same files."""
    caches = token_caches_dir()
    cache: TokenCache | None = None
    problem: tuple[str, str] | None = None
    if world.is_main:

        def report(phase: str, done: int, total: int, unit: str) -> None:
            stop.raise_if_asked()
            recorder.progress(phase, done, total, unit)

        try:
            cache = open_or_build(config.data, caches, report)
        except StopRequested as request:
            problem = ("stop", str(request))
        except (DataError, OSError) as error:
            problem = ("data", str(error) or type(error).__name__)
    problem = world.from_main(problem)
    if problem is not None:
        kind, message = problem
        raise StopRequested(message) if kind == "stop" else DataError(message)
    return cache or open_cache(caches / token_cache_key(config.data))


def _evaluated_rows(num_rows: int, wanted: int) -> Tensor:
    """Which validation sequences are scored: all, or a draw that is the same for every run and seed."""
    if not wanted or wanted >= num_rows:
        return torch.arange(num_rows)
    generator = torch.Generator().manual_seed(scalar_seed(0xE7A1))
    return torch.randperm(num_rows, generator=generator)[:wanted].sort().values


def _load(
    checkpoints: CheckpointStore, resume: str, model: Encoder, optimizer: Optimizer, recorder: Recorder
) -> tuple[TrainState, str]:
    loaded, fallback = checkpoints.load(resume)
    if fallback:
        event = CheckpointFellBack(wanted=checkpoints.resolve(resume), used=loaded.name, reason=fallback)
        recorder.event(loaded.state.step, event)
    try:
        model.load_state_dict(loaded.model)
        optimizer.load_state(loaded.optimizer)
    except (RuntimeError, KeyError, ValueError) as error:
        raise CheckpointError(f"{loaded.name} does not fit this configuration: {error}") from error
    return loaded.state, loaded.name


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
    config, manifest, step = prepared.config, prepared.cache.manifest, prepared.state.step
    started = AttemptStarted(
        dataset=label(config.data),
        device=str(world.device),
        precision=prepared.precision,
        num_processes=world.size,
        num_parameters=sum(parameter.numel() for parameter in prepared.model.parameters()),
        total_steps=prepared.total_steps,
        vocab_size=manifest.vocab_size,
        train_rows=len(prepared.train),
        validation_rows=len(prepared.validation),
        train_tokens=manifest.train.tokens,
        tokens_per_step=prepared.global_batch * config.data.sequence_length,
        unknown_rate=manifest.validation.unknown / manifest.validation.tokens,
        resumed_from=resumed_from,
    )
    recorder.event(step, started)
    recorder.event(step, Notice(level="info", message=f"precision {why}"))
    if manifest.vocab_size < config.data.vocab_size:
        message = (
            f"the training split has only {manifest.vocab_size:,} different tokens; "
            f"the vocabulary is that large, not {config.data.vocab_size:,}"
        )
        recorder.event(step, Notice(level="warning", message=message))
    if not resumed_from:  # once a run: they follow from the data alone
        targets = frozen_targets(prepared.objective, prepared.validation, prepared.validation_rows)
        recorder.event(step, measure_baselines(targets, torch.from_numpy(prepared.cache.token_counts)))
