"""The data of a run, opened: tokens, the samples to train on, and what the run is judged by."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from engine.checkpoints import TrainState
from engine.curriculum import arranged_order
from engine.data.batches import SampleOrder, SampleStream, SequenceStore
from engine.data.documents import DataError, Report
from engine.data.shard_feed import ShardFeed
from engine.data.token_cache import TokenCache, open_cache, open_or_build
from engine.distributed import World
from engine.recorder import Recorder
from engine.stopping import StopRequested, StopSignal
from presets.schema import DataConfig, RunConfig
from runs.checksums import sha256_of
from runs.events import Notice
from runs.folder import token_caches_dir
from runs.heap import give_back_memory

SIGN_OF_LIFE_S = 60.0
_AT_WORK = "at work"


@dataclass
class TrainingData:
    """judged: what evaluations and baselines rest on: the whole cache, or the first shard of a stream."""

    cache: TokenCache
    judged: TokenCache
    train: SequenceStore
    validation: SequenceStore
    samples: SampleStream


def open_training_data(
    config: RunConfig,
    before: TrainState,
    world: World,
    recorder: Recorder,
    stop: StopSignal,
    tokenizer: Path | None,
) -> TrainingData:
    """Open the data on this rank; built, or waited for, where they are not there yet.

    before: where this attempt begins. tokenizer: the file of the checkpoint that is resumed, whose ids the
    model knows. Where the cache has been built anew with another one since, or the one that was named is gone, a
    cache is built with that. Raises DataError or StopRequested.
    """
    train = config.train
    per_step = train.batch_size * train.accumulation_steps * world.size
    steps_left = (before.total_steps or train.max_steps) - before.step
    num_sequences = before.samples + steps_left * per_step if train.max_steps else 0

    def opened(data: DataConfig) -> tuple[TokenCache, ShardFeed | None]:
        return _open_cache(data, num_sequences, world, recorder, stop, labelled=config.objective.has_labels)

    data = config.data
    try:
        cache, feed = opened(data)
        fits = tokenizer is None or sha256_of(tokenizer) == cache.source.tokenizer_sha256
    except DataError:
        if tokenizer is None or data.tokenizer != "existing":
            raise
        cache, feed, fits = None, None, False
    if tokenizer is not None and not fits:
        if feed is not None:
            feed.close()
        message = "the token cache has another tokenizer than the checkpoint, which is used instead"
        recorder.event(0, Notice(level="warning", message=message))
        data = msgspec.structs.replace(data, tokenizer="existing", tokenizer_from=str(tokenizer))
        cache, feed = opened(data)
    assert cache is not None
    if cache.source.num_unlabelled:
        column, number = config.data.label_column, cache.source.num_unlabelled
        message = f"rows without a label in the column {column!r} are left out: {number:,}"
        recorder.event(0, Notice(level="info", message=message))
    try:
        found = arranged(data, train.seed, world, cache, feed)
        found.samples.order = arranged_order(
            config, found.train, cache.token_counts, found.samples.order, recorder.progress
        )
        return found
    except BaseException:
        if feed is not None:
            feed.close()
        raise


def arranged(data: DataConfig, seed: int, world: World, cache: TokenCache, feed: ShardFeed | None) -> TrainingData:
    """An open cache as a run reads it. feed: of a stream that goes on. Raises DataError for an empty split."""
    train = SequenceStore((shard.train for shard in cache.shards), data, world.device)
    # what comes later of a stream must not change what a run is judged by
    judged = cache if feed is None else replace(cache, shards=cache.shards[:1])
    validation = SequenceStore((shard.validation for shard in judged.shards), data, world.device)
    for name, store in (("training", train), ("validation", validation)):
        if not len(store):
            raise DataError(f"the {name} split gives no sequence of {data.sequence_length} tokens")
    order = SampleOrder(train.sizes, seed, is_streamed=feed is not None)
    order.is_complete = feed is None or feed.is_complete
    return TrainingData(cache, judged, train, validation, SampleStream(train, order, feed))


def _open_cache(
    data: DataConfig, num_sequences: int, world: World, recorder: Recorder, stop: StopSignal, *, labelled: bool
) -> tuple[TokenCache, ShardFeed | None]:
    """The tokens of this dataset: all of them, or the beginning of a stream and what brings the rest."""

    def report(phase: str, done: int, total: int, unit: str) -> None:
        stop.raise_if_asked()
        world.mark.at("preparing data")
        recorder.progress(phase, done, total, unit)

    if data.access == "stream" and data.source == "hub":
        feed = ShardFeed(data, token_caches_dir(), num_sequences, world, recorder.progress, stop)
        try:
            return feed.open(), feed
        except BaseException:
            feed.close()
            raise
    return _shared_cache(data, world, report, labelled), None


def _shared_cache(data: DataConfig, world: World, report: Report, labelled: bool) -> TokenCache:
    """Rank 0 builds or verifies the token cache; the others wait for its word and map the same files."""
    caches = token_caches_dir()
    cache: TokenCache | None = None
    key = ""
    problem: tuple[str, str] | None = None
    if world.is_main:
        try:
            cache = open_or_build(data, caches, _with_signs_of_life(report, world), labelled=labelled)
            key = cache.source.key
            give_back_memory()  # what tokenising took would stay beside what training needs
        except StopRequested as request:
            problem = ("stop", str(request))
        except (DataError, OSError) as error:
            problem = ("data", str(error) or type(error).__name__)
    answer = world.from_main((problem, key))
    while answer == _AT_WORK:
        answer = world.from_main(None)
    problem, key = answer
    if problem is not None:
        kind, message = problem
        raise StopRequested(message) if kind == "stop" else DataError(message)
    return cache or open_cache(caches / key)


def _with_signs_of_life(report: Report, world: World) -> Report:
    """The same, and now and then a word to the other ranks: waiting for one has an end (`World.limit_s`)."""
    told = time.monotonic()

    def report_and_tell(phase: str, done: int, total: int, unit: str) -> None:
        nonlocal told
        report(phase, done, total, unit)
        if time.monotonic() - told >= min(SIGN_OF_LIFE_S, world.limit_s / 4):
            told = time.monotonic()
            world.from_main(_AT_WORK)

    return report_and_tell
