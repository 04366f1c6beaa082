"""Streams: training starts with the first shard, and every sample comes once, whatever happens in between."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch

from engine.checkpoints import CheckpointStore
from engine.data import shard_feed
from engine.data.batches import SampleOrder, SequenceStore
from engine.data.documents import DataError
from engine.data.token_cache import open_cache
from presets.fields import Value
from presets.schema import RunConfig
from runs import control
from runs.events import AttemptStarted, Notice, Progress, decode_event
from runs.folder import RunFolder, token_caches_dir
from runs.records import RecordTail
from runs.token_caches import cache_key
from tests.conftest import pids_with
from tests.fakes.hub import LoopbackHub
from tests.tiny import new_run, tiny_config, train

STREAM: dict[str, Value] = {
    "data__source": "hub",
    "data__dataset": "imdb",
    "data__max_samples": 0,
    "data__shard_tokens": 1500,
    "data__shuffle_buffer": 20,
    "data__long_documents": "truncate",
    "data__stream_patience": 0,
    "probes__texts": (),
}


def reviews(count: int) -> list[str]:
    return [f"review {i} says the film was {'very ' * (i % 5)}good and number {i * 7} too" for i in range(count)]


def stream_config(**changes: Value) -> RunConfig:
    return tiny_config(**{**STREAM, "data__access": "stream", **changes})


def events_of(folder: RunFolder) -> list[object]:
    return [decode_event(r) for attempt in folder.attempts() for r in RecordTail(attempt.events_file).poll_all()]


def losses(folder: RunFolder) -> dict[int, float]:
    records = [r for attempt in folder.attempts() for r in RecordTail(attempt.metrics_file).poll_all()]
    return {record["step"]: record["loss"] for record in records if "loss" in record}


def start_recorded(
    folder: RunFolder, processes: int, record_to: Path, *, stop_at: int, resume: str = ""
) -> subprocess.CompletedProcess[str]:
    """One attempt of the engine under torchrun, as the supervisor would start it, with its samples on record."""
    attempt = folder.attempt(len(folder.attempts()) + 1)
    attempt.path.mkdir(parents=True)
    record_to.mkdir(parents=True)
    engine = ["-m", "tests.e2e.recording_engine", str(folder.path), "--attempt", str(attempt.number)]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return subprocess.run(
        [*command, *engine, *(["--resume", resume] if resume else [])],
        env={**os.environ, "RECORD_TO": str(record_to), "STOP_AT": str(stop_at), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def trained_samples(record_to: Path, before_step: int) -> list[tuple[int, int]]:
    """(epoch, sample) of all ranks, of the steps that were really made."""
    found = []
    for path in record_to.glob("rank-*.jsonl"):
        for line in path.read_text().splitlines():
            record = json.loads(line)
            if record["step"] < before_step:  # the batch of a step that a stop called off was made for nothing
                found += [tuple(pair) for pair in record["samples"]]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("access", ["download", "stream"])
def test_no_sample_is_repeated_or_left_out_when_the_number_of_processes_changes(
    runs_path: Path,
    tmp_path: Path,
    hub: LoopbackHub,
    access: str,
) -> None:
    """Stops in the middle of a stream, in the middle of an epoch, and the last part runs across an epoch's end."""
    hub.add_dataset("stanfordnlp/imdb", {"plain_text": {"train": reviews(200)}}, rows_per_group=10)
    changes: dict[str, Value] = {"data__shard_tokens": 1000, "train__batch_size": 4, "train__max_steps": 40}
    config = stream_config(data__access=access, **changes)
    folder = new_run(runs_path, config)
    trained: list[tuple[int, int]] = []
    for number, (processes, stop_at) in enumerate(((2, 5), (4, 15), (1, 40))):
        record_to = tmp_path / f"record-{number}"
        resume = "last" if number else ""
        done = start_recorded(folder, processes, record_to, stop_at=stop_at, resume=resume)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        state = CheckpointStore(folder.checkpoints_dir).load("last")[0].state
        assert state.step == stop_at
        trained += trained_samples(record_to, state.step)
    assert state.samples == len(trained) == 2 * 4 * 5 + 4 * 4 * 10 + 4 * 25
    cache = open_cache(token_caches_dir() / cache_key(config.data))
    assert cache.is_complete
    sizes = [len(shard.train.sequences(config.data)[0]) for shard in cache.shards]
    assert len(sizes) >= 2 or access == "download"
    assert state.samples > 1.5 * sum(sizes), "it went across the end of an epoch"
    order = SampleOrder(sizes, config.train.seed, is_streamed=access == "stream")
    order.is_complete = True
    epochs, samples = order.slice(0, state.samples)
    assert Counter(trained) == Counter(zip(epochs.tolist(), samples.tolist(), strict=True))
    first_epoch = [sample for epoch, sample in trained if epoch == 0]
    assert sorted(first_epoch) == list(range(sum(sizes)))


@pytest.mark.slow
def test_a_resumed_stream_is_bit_identical_to_one_that_never_stopped(
    runs_path: Path,
    hub: LoopbackHub,
) -> None:
    hub.add_dataset("stanfordnlp/imdb", {"plain_text": {"train": reviews(200)}}, rows_per_group=10)
    config = stream_config(train__max_steps=30, train__log_every=1)
    straight = new_run(runs_path, config)
    _, outcome = train(straight)
    assert outcome.state == "finished"
    broken = new_run(runs_path, config)
    for stop_at in (4, 11, None):
        _, outcome = train(broken, resume="last" if broken.attempts() else "", stop_at=stop_at)
    assert losses(broken) == losses(straight)


@pytest.mark.slow
def test_training_starts_when_the_first_shard_is_there_and_goes_on_after_the_hub_went_away(
    runs_path: Path,
    hub: LoopbackHub,
) -> None:
    hub.add_dataset("stanfordnlp/imdb", {"plain_text": {"train": reviews(800)}}, num_files=8, rows_per_group=10)
    config = stream_config(train__max_steps=60, train__log_every=1, train__checkpoint_every=1000)
    straight = new_run(runs_path, config)
    train(straight)
    total_bytes = hub.bytes_sent
    folder = token_caches_dir() / cache_key(config.data)
    folder.rename(folder.with_name("elsewhere"))

    hub.cut_after(bytes=int(total_bytes * 0.5))
    broken = new_run(runs_path, config)
    with pytest.raises(DataError, match=r"broke off after [\d,]+ rows"):
        train(broken)
    state = CheckpointStore(broken.checkpoints_dir).load("last")[0].state
    assert 0 < state.step < 60, "it trained on what had come, and saved where it had to stop"
    cache = open_cache(folder)
    assert cache.shards
    assert not cache.is_complete
    started = [event for event in events_of(broken) if isinstance(event, AttemptStarted)]
    assert started[0].commit == cache.source.commit != ""

    hub.restore()
    _, outcome = train(broken, resume="last")
    assert outcome.state == "finished"
    assert losses(broken) == losses(straight)
    assert not pids_with("TINYTRAIN_RUNS", os.environ["TINYTRAIN_RUNS"]), "the reader has ended"


@pytest.mark.slow
def test_a_reader_that_is_killed_is_started_again(runs_path: Path, hub: LoopbackHub) -> None:
    hub.add_dataset("stanfordnlp/imdb", {"plain_text": {"train": reviews(400)}}, rows_per_group=10)
    config = stream_config(train__max_steps=40)
    folder = new_run(runs_path, config)
    killed: list[int] = []
    real_start = shard_feed.ShardFeed._start

    def start_and_kill_the_first(self: shard_feed.ShardFeed) -> subprocess.Popen[bytes]:
        process = real_start(self)
        if not killed:
            killed.append(process.pid)
            process.kill()
        return process

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shard_feed.ShardFeed, "_start", start_and_kill_the_first)
        _, outcome = train(folder)
    assert killed
    assert outcome.state == "finished"


def test_a_stream_is_judged_by_its_first_shard_and_the_wait_for_it_is_shown(
    runs_path: Path,
    hub: LoopbackHub,
) -> None:
    hub.add_dataset("stanfordnlp/imdb", {"plain_text": {"train": reviews(300)}}, rows_per_group=10)
    config = stream_config(train__max_steps=3)
    first, again = new_run(runs_path, config), new_run(runs_path, config)
    train(first)
    train(again)  # the whole stream is cached by now
    cache = open_cache(token_caches_dir() / cache_key(config.data))
    in_first = SequenceStore([cache.shards[0].validation], config.data, torch.device("cpu"))
    rows = [event.validation_rows for folder in (first, again) for event in events_of(folder)
            if isinstance(event, AttemptStarted)]  # fmt: skip
    assert rows == [len(in_first)] * 2
    phases = {event.phase for event in events_of(first) if isinstance(event, Progress)}
    assert any(phase.startswith("waiting for the stream (") for phase in phases), phases


@pytest.mark.slow
def test_a_half_read_stream_goes_on_at_its_own_commit_when_the_branch_has_moved(
    runs_path: Path, hub: LoopbackHub
) -> None:
    texts = reviews(800)
    hub.add_dataset("stanfordnlp/imdb", {"plain_text": {"train": texts}}, num_files=8, rows_per_group=10)
    config = stream_config(train__max_steps=40, train__log_every=1)
    straight = new_run(runs_path, config)
    train(straight)
    folder = token_caches_dir() / cache_key(config.data)
    folder.rename(folder.with_name("elsewhere"))

    broken = new_run(runs_path, config)
    train(broken, stop_at=4)
    before = open_cache(folder)
    assert not before.is_complete
    moved = [text.upper() + " and more" for text in texts]
    hub.add_dataset("stanfordnlp/imdb", {"plain_text": {"train": moved}}, num_files=8, rows_per_group=10)
    _, outcome = train(broken, resume="last")
    assert outcome.state == "finished"
    assert open_cache(folder).source == before.source
    assert losses(broken) == losses(straight)


def test_no_more_of_a_stream_is_read_than_the_run_trains_on(runs_path: Path, hub: LoopbackHub) -> None:
    hub.add_dataset("stanfordnlp/imdb", {"plain_text": {"train": reviews(2000)}}, num_files=8, rows_per_group=10)
    config = stream_config(train__max_steps=4, train__batch_size=8)
    train(new_run(runs_path, config))
    cache = open_cache(token_caches_dir() / cache_key(config.data))
    assert not cache.is_complete
    assert 32 <= cache.train.rows < 400


def test_a_run_that_is_made_longer_reads_more_of_its_stream_and_a_resumed_one_as_far_as_it_now_goes(
    runs_path: Path, hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add_dataset("stanfordnlp/imdb", {"plain_text": {"train": reviews(2000)}}, num_files=8, rows_per_group=10)
    numbers: list[int] = []
    real_start = shard_feed.ShardFeed._start

    def start_and_look(self: shard_feed.ShardFeed) -> subprocess.Popen[bytes]:
        numbers.append(self._num_sequences)
        return real_start(self)

    monkeypatch.setattr(shard_feed.ShardFeed, "_start", start_and_look)
    config = stream_config(
        data__shard_tokens=1000, train__max_steps=6, train__batch_size=8, train__log_every=1, probes__texts=()
    )
    folder = new_run(runs_path, config)
    monkeypatch.setattr(shard_feed, "_MOST_STARTS", 1)  # those that did what they were asked for do not count
    control.ask(folder, "steps", "+34")
    _, outcome = train(folder, stop_at=26)
    assert outcome.state == "stopped"
    assert CheckpointStore(folder.checkpoints_dir).load("last")[0].state.step == 26
    assert numbers[0] == 6 * 8 and numbers == sorted(set(numbers))
    assert len(numbers) > 2, "each began because more was needed"
    assert numbers[-1] < 2 * 26 * 8, "not much more is read than was needed"

    del numbers[:]
    _, outcome = train(folder, resume="last")
    assert (outcome.state, outcome.step) == ("finished", 40)
    assert numbers == [40 * 8], "how long it is now is known from the start"
    assert not open_cache(token_caches_dir() / cache_key(config.data)).is_complete


def test_a_reader_that_ends_too_early_again_and_again_is_an_error_not_an_endless_wait(
    runs_path: Path, hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add_dataset("stanfordnlp/imdb", {"plain_text": {"train": reviews(50)}})
    starts: list[int] = []

    def end_at_once(self: shard_feed.ShardFeed) -> subprocess.Popen[bytes]:
        self._num_starts += 1
        self._started_for = self._num_sequences
        starts.append(self._num_starts)
        return subprocess.Popen(["true"])

    monkeypatch.setattr(shard_feed.ShardFeed, "_start", end_at_once)
    with pytest.raises(DataError, match="ended with exit code 0"):
        train(new_run(runs_path, stream_config(train__max_steps=3)))
    assert starts == [1, 2, 3, 4]


def test_a_stream_with_a_changed_tokenizer_file_is_read_again_before_it_is_used(
    runs_path: Path, hub: LoopbackHub
) -> None:
    hub.add_dataset("stanfordnlp/imdb", {"plain_text": {"train": reviews(100)}})
    config = stream_config(train__max_steps=8)
    first = new_run(runs_path, config)
    train(first)
    path = token_caches_dir() / cache_key(config.data) / "tokenizer.json"
    text = path.read_text()
    path.write_text(text.replace('"the"', '"eht"'))
    again = new_run(runs_path, config)
    train(again)
    assert path.read_text() == text
    assert losses(again) == losses(first)


def test_data_that_are_others_than_before_are_said_aloud_on_resume(runs_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("\n".join(reviews(60)))
    changes: dict[str, Value] = {"data__source": "files", "data__dataset": str(path), "train__max_steps": 8}
    folder = new_run(runs_path, tiny_config(**changes))
    train(folder, stop_at=4)
    path.write_text("\n".join(reviews(70)))
    train(folder, resume="last")
    said = [event.message for event in events_of(folder) if isinstance(event, Notice)]
    assert any("not what they were" in message for message in said)
