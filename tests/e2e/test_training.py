"""Whole attempts of the real trainer on real text: learning, resuming bit for bit, stopping, early stopping."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.batches_ahead import BatchesAhead, StepBatch
from engine.checkpoints import CheckpointError, CheckpointStore
from engine.data.documents import DataError
from engine.data.token_cache import open_or_build
from engine.trainer import Trainer
from presets.fields import Value
from runs import control
from runs.events import (
    AttemptStarted,
    Baselines,
    ControlAnswered,
    DiskNoticed,
    Evaluated,
    Event,
    Notice,
    Probed,
    decode_event,
)
from runs.folder import RunFolder, token_caches_dir
from runs.records import RecordTail
from runs.token_caches import cache_key
from tests.tiny import new_run, prepare_attempt, tiny_config, train

TIMING = {"seq", "time", "elapsed_s", "tokens_per_second", "samples_per_second", "step_time_s", "data_time_s",
          "memory_allocated_bytes", "memory_reserved_bytes", "memory_peak_bytes", "host_memory_bytes",
          "flops_per_second", "utilisation", "crc"}  # fmt: skip


def metrics(folder: RunFolder) -> list[dict[str, Any]]:
    """All recorded figures but those of time, first attempt to last."""
    records = [r for attempt in folder.attempts() for r in RecordTail(attempt.metrics_file).poll_all()]
    return [{name: value for name, value in record.items() if name not in TIMING} for record in records]


def events(folder: RunFolder) -> list[Event]:
    return [decode_event(r) for attempt in folder.attempts() for r in RecordTail(attempt.events_file).poll_all()]


RESUMED: list[dict[str, Value]] = [
    {"optim__schedule": "linear"},
    {"optim__schedule": "cosine", "model__dropout": 0.1},
    {"optim__schedule": "constant", "model__positions": "rotary"},
    {"optim__schedule": "wsd"},
    {"train__accumulation_steps": 3},
    {"optim__schedule": "wsd", "train__accumulation_steps": 2, "model__dropout": 0.1, "train__precision": "bf16"},
    {"optim__schedule": "inverse_sqrt", "optim__algorithm": "lion", "optim__lr": 1e-3},
    {"optim__algorithm": "muon", "optim__ema_decay": 0.9, "model__attention_dropout": 0.1},
    {"train__precision": "fp16", "train__accumulation_steps": 2, "model__embedding_dropout": 0.1},
    {"train__activation_checkpointing": True, "model__dropout": 0.2, "model__norm_place": "post"},
    {"objective__whole_words": True, "objective__mask_rate_end": 0.4, "data__tokenizer": "wordpiece"},
    {"curriculum__start_length": 8, "curriculum__order": "rarity", "train__batch_size": 50},
    {"objective__kind": "clm", "probes__texts": ("the people",), "model__activation": "swiglu"},
    {"objective__kind": "nsp", "model__segments": 2, "model__norm": "rmsnorm"},
    {"objective__kind": "sop", "model__segments": 2, "model__head_transform": True, "model__tied_head": False},
]


@pytest.mark.parametrize("changes", RESUMED, ids=lambda changes: "-".join(str(v) for v in changes.values()))
def test_a_resumed_run_is_bit_identical_to_one_that_never_stopped(
    runs_path: Path, changes: dict[str, Value]
) -> None:
    config = tiny_config(**changes)
    straight = new_run(runs_path, config)
    whole, _ = train(straight)
    broken = new_run(runs_path, config)
    for stop_at in (
        0,
        3,
        10,
        14,
    ):  # before the first step, inside a logging window, at a checkpoint, after an evaluation
        _, outcome = train(broken, resume="last" if broken.attempts() else "", stop_at=stop_at)
        assert (outcome.state, outcome.step) == ("stopped", stop_at)
    resumed, outcome = train(broken, resume="last")
    assert outcome.state == "finished"
    for (name, a), b in zip(
        whole.run.model.state_dict().items(), resumed.run.model.state_dict().values(), strict=True
    ):
        assert torch.equal(a, b), name
    assert metrics(broken) == metrics(straight)
    assert len(metrics(straight)) == 5 + 5, "five training records, and evaluations at 0, 5, 10, 15 and 20"


def test_a_resumed_run_repeats_no_sample_and_skips_none_across_epochs(
    runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []
    original = BatchesAhead.batch

    def noting(self: BatchesAhead, step: StepBatch, rows: slice) -> Any:
        mine = step.mine
        seen.extend(zip(mine.epochs[rows].tolist(), mine.samples[rows].tolist(), strict=True))
        return original(self, step, rows)

    monkeypatch.setattr(BatchesAhead, "batch", noting)
    config = tiny_config(train__max_steps=0, train__epochs=2, train__batch_size=500)
    folder = new_run(runs_path, config)
    first, _ = train(folder, stop_at=5)
    num_rows = len(first.run.train)
    _, outcome = train(folder, resume="last")
    assert outcome.step == math.ceil(2 * num_rows / 500)
    for epoch in (0, 1):
        assert sorted(sample for e, sample in seen if e == epoch) == list(range(num_rows))
    assert len(set(seen)) == len(seen)


def test_training_learns_more_than_word_frequency_and_says_what_that_would_score(runs_path: Path) -> None:
    config = tiny_config(
        data__max_samples=40, data__sequence_length=32, model__hidden_size=32, optim__lr=3e-3,
        train__max_steps=300, train__batch_size=16, train__eval_every=100, train__checkpoint_every=1000,
    )  # fmt: skip
    folder = new_run(runs_path, config)
    _, outcome = train(folder)
    (baselines,) = [event for event in events(folder) if isinstance(event, Baselines)]
    assert baselines.uniform_loss == pytest.approx(math.log(200))
    first = next(event for event in events(folder) if isinstance(event, Evaluated))
    assert abs(first.loss - math.log(200)) < 0.1
    assert outcome.best_loss is not None
    assert outcome.best_loss < baselines.unigram_loss - 0.05
    evaluation = metrics(folder)[-1]
    assert evaluation["val_perplexity"] == pytest.approx(math.exp(evaluation["val_loss"]))
    assert evaluation["val_accuracy"] > evaluation["val_accuracy_known"] + 0.1, "a third of this text is [UNK]"


def test_accumulation_does_not_change_the_loss_curve(runs_path: Path) -> None:
    curves = []
    for batch_size, accumulation in ((8, 1), (2, 4)):
        folder = new_run(
            runs_path, tiny_config(train__batch_size=batch_size, train__accumulation_steps=accumulation)
        )
        train(folder)
        curves.append([record["loss"] for record in metrics(folder) if "loss" in record])
    assert curves[0] == pytest.approx(curves[1], rel=1e-5)


def test_early_stopping_ends_the_run_and_keeps_the_best(runs_path: Path) -> None:
    config = tiny_config(
        optim__lr=1e-9, optim__warmup_ratio=0.0, train__early_stopping_patience=2, train__max_steps=1000,
        train__early_stopping_min_delta=0.5, train__checkpoint_every=1000,
    )  # fmt: skip
    folder = new_run(runs_path, config)
    _, outcome = train(folder)
    assert (outcome.state, outcome.step, outcome.best_step) == ("finished", 10, 0)
    assert "early stopping" in outcome.reason


def test_a_stop_request_is_answered_and_leaves_the_inbox(runs_path: Path) -> None:
    folder = new_run(runs_path, tiny_config())
    prepared, world, recorder, stop = prepare_attempt(folder)
    request = control.ask(folder, "stop")
    outcome = Trainer(prepared, world, recorder, stop).train()
    assert outcome.state == "stopped"
    assert control.pending(folder) == ()
    (answer,) = [event for event in events(folder) if isinstance(event, ControlAnswered)]
    assert (answer.request, answer.accepted) == (request.id, True)
    assert CheckpointStore(folder.checkpoints_dir).load("last")[0].state.step == outcome.step


def test_probes_show_the_most_probable_words_over_the_whole_vocabulary(runs_path: Path) -> None:
    folder = new_run(
        runs_path, tiny_config(probes__texts=("the [MASK] of the [MASK] nation", "x " * 40 + "[MASK]"))
    )
    train(folder)
    probed = [event for event in events(folder) if isinstance(event, Probed)]
    assert [event.step for event in probed] == [0, 10, 20]
    (result,) = probed[-1].probes
    assert [len(candidates) for candidates in result.masks] == [5, 5]
    for candidates in result.masks:
        shares = [candidate.probability for candidate in candidates]
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) < 0.999
    notices = [event.message for event in events(folder) if isinstance(event, Notice)]
    assert any("43 tokens, and the model takes 16" in message for message in notices)


def test_a_damaged_last_checkpoint_falls_back_and_says_so(runs_path: Path) -> None:
    folder = new_run(runs_path, tiny_config())
    train(folder, stop_at=15)
    model = folder.checkpoints_dir / "step-00000015" / "model.safetensors"
    model.write_bytes(model.read_bytes()[:-1])
    train(folder, resume="last")
    said = [event for event in events(folder) if type(event).__name__ == "CheckpointFellBack"]
    assert [(event.wanted, event.used) for event in said] == [("step-00000015", "step-00000010")]
    assert [e.step for e in events(folder) if isinstance(e, AttemptStarted)] == [0, 10]


def test_a_full_disk_at_a_checkpoint_is_said_and_training_goes_on(
    runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = new_run(runs_path, tiny_config())
    original = CheckpointStore.save

    def sometimes_full(self: CheckpointStore, *args: Any, **kwargs: Any) -> Any:
        if args[2].step == 10:
            raise OSError(28, "No space left on device")
        return original(self, *args, **kwargs)

    monkeypatch.setattr(CheckpointStore, "save", sometimes_full)
    _, outcome = train(folder)
    assert outcome.state == "finished"
    full, again = (event for event in events(folder) if isinstance(event, DiskNoticed))
    assert full.is_full and "step 10 could not be written" in full.message and "is full" in full.message
    assert not again.is_full and "step 15 is saved" in again.message
    assert CheckpointStore(folder.checkpoints_dir).load("last")[0].state.step == 20


def test_a_checkpoint_of_another_model_is_refused_with_a_sentence(runs_path: Path) -> None:
    small, large = new_run(runs_path, tiny_config()), new_run(runs_path, tiny_config(model__hidden_size=16))
    train(small, stop_at=5)
    large.checkpoints_dir.rmdir()
    small.checkpoints_dir.rename(large.checkpoints_dir)
    with pytest.raises(CheckpointError, match="does not fit this configuration"):
        train(large, resume="last")


def test_a_hub_dataset_that_cannot_be_had_is_an_error_and_never_another_dataset(
    runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets.config
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)  # else it tries again for 25 s
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    folder = new_run(runs_path, tiny_config(data__source="hub", data__dataset="stanfordnlp/imdb"))
    with pytest.raises(DataError, match=r"stanfordnlp/imdb: the hub cannot be reached.*--offline-corpus"):
        train(folder)


def test_a_resumed_run_keeps_its_own_tokenizer_when_the_cache_has_another_one_by_now(runs_path: Path) -> None:
    """A Unigram tokenizer is another one every time it is learned; a cache that was cleared comes back changed."""
    config = tiny_config(data__tokenizer="unigram", data__vocab_size=150, train__max_steps=12)
    straight = new_run(runs_path, config)
    train(straight)
    broken = new_run(runs_path, config)
    train(broken, stop_at=6)
    folder = token_caches_dir() / cache_key(config.data)
    tokenizer = folder / "tokenizer.json"
    before = tokenizer.read_bytes()
    for _ in range(10):
        shutil.rmtree(folder)
        open_or_build(config.data, token_caches_dir(), lambda *_: None)
        if tokenizer.read_bytes() != before:
            break
    assert tokenizer.read_bytes() != before
    _, outcome = train(broken, resume="last")
    assert outcome.state == "finished"
    assert metrics(broken) == metrics(straight)
    said = [event.message for event in events(broken) if isinstance(event, Notice)]
    assert any("another tokenizer than the checkpoint" in message for message in said)
