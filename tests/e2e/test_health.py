"""Numbers that go wrong, on purpose: what a run does about each, and what it says."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from engine import health
from engine.checkpoints import CheckpointStore
from engine.health import TrainingDiverged
from engine.models.transformer import Transformer
from engine.objectives.mlm import MaskedLanguageModelling
from engine.optim import Optimizer
from engine.updates import OutOfMemory, Updater
from runs.events import HealthNoticed, Notice, decode_event
from runs.folder import RunFolder
from runs.records import RecordTail
from tests.tiny import new_run, tiny_config, train


def change_losses(monkeypatch: pytest.MonkeyPatch, change: Callable[[int, Tensor], Tensor]) -> None:
    """Every training loss passes `change(number of the pass, loss)`."""
    real = MaskedLanguageModelling.loss
    count = 0

    def loss(self: MaskedLanguageModelling, *arguments: Any) -> Tensor:
        nonlocal count
        count += 1
        return change(count - 1, real(self, *arguments))

    monkeypatch.setattr(MaskedLanguageModelling, "loss", loss)


def make_nan(monkeypatch: pytest.MonkeyPatch, is_bad: Callable[[int], bool]) -> None:
    change_losses(monkeypatch, lambda number, loss: loss * torch.nan if is_bad(number) else loss)


def records(folder: RunFolder) -> list[dict[str, Any]]:
    found = [r for attempt in folder.attempts() for r in RecordTail(attempt.metrics_file).poll_all()]
    return [record for record in found if "loss" in record]


def said(folder: RunFolder, symptom: str = "") -> list[str]:
    """Messages of one symptom, or of notices."""
    found = [decode_event(r) for attempt in folder.attempts() for r in RecordTail(attempt.events_file).poll_all()]
    if not symptom:
        return [event.message for event in found if isinstance(event, Notice)]
    return [event.message for event in found if isinstance(event, HealthNoticed) and event.symptom == symptom]


def test_an_update_without_a_finite_gradient_is_skipped_and_counted(
    runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = new_run(runs_path, tiny_config(train__log_every=1, train__max_steps=6, optim__schedule="constant"))
    make_nan(monkeypatch, lambda number: number == 2)
    before: list[Tensor] = []
    real = Optimizer.step

    def step(self: Optimizer, lr: float, **options: Any) -> Any:
        before.append(self.flat.weight.detach().clone())
        return real(self, lr, **options)

    monkeypatch.setattr(Optimizer, "step", step)
    trainer, outcome = train(folder)
    assert outcome.state == "finished"
    assert [record["skipped_updates"] for record in records(folder)] == [0, 0, 1, 0, 0, 0]
    assert records(folder)[2]["loss"] is None
    assert torch.equal(before[2], before[3]), "weights stay as they were"
    assert not torch.equal(before[3], before[4])
    assert all(torch.isfinite(parameter).all() for parameter in trainer.run.model.parameters())
    assert said(folder, "skipped") == [
        "1 update was skipped by step 3: the loss or its gradient was not a finite number"
    ]


def test_a_loss_that_is_not_finite_skips_the_update_although_its_gradient_is(
    runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = new_run(runs_path, tiny_config(train__log_every=1, train__max_steps=4))
    change_losses(monkeypatch, lambda number, loss: loss + (torch.inf if number == 1 else 0.0))
    train(folder)
    assert [record["skipped_updates"] for record in records(folder)] == [0, 1, 0, 0]


def test_an_evaluation_that_runs_out_of_memory_is_made_in_smaller_parts(
    runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_config(train__max_steps=4)
    whole, folder = new_run(runs_path, config), new_run(runs_path, config)
    expected, _ = train(whole)
    real = MaskedLanguageModelling.score_sums

    def score_sums(self: MaskedLanguageModelling, model: Any, batch: Any) -> Tensor:
        if len(batch.inputs) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory (a stand-in)")
        return real(self, model, batch)

    monkeypatch.setattr(MaskedLanguageModelling, "score_sums", score_sums)
    trainer, _ = train(folder)
    assert trainer.state.last_loss == pytest.approx(expected.state.last_loss, rel=1e-5)
    assert trainer.state.micro_batch == 2


def test_the_mean_loss_is_that_of_the_updates_that_were_made(
    runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = new_run(runs_path, tiny_config(train__log_every=4, train__max_steps=4))
    make_nan(monkeypatch, lambda number: number in (1, 2))
    train(folder)
    (record,) = records(folder)
    assert record["skipped_updates"] == 2
    assert 4.0 < record["loss"] < 6.0


def test_a_run_that_does_not_recover_ends_with_a_checkpoint_of_its_last_good_weights(
    runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_config(train__log_every=4, train__max_steps=40, train__max_skipped_updates=6)
    folder = new_run(runs_path, config)
    make_nan(monkeypatch, lambda number: number >= 5)
    with pytest.raises(TrainingDiverged, match=r"the last 6 updates had no finite gradient.*step 5"):
        train(folder)
    loaded, _ = CheckpointStore(folder.checkpoints_dir).load("last")
    assert loaded.state.step == 11
    tensors = (*loaded.model.values(), *loaded.optimizer.values())
    assert all(torch.isfinite(tensor).all() for tensor in tensors)
    monkeypatch.undo()
    _, outcome = train(folder, resume="last")
    assert (outcome.state, outcome.step) == ("finished", 40), "and a resumed run goes on from it"


def test_a_stop_in_a_window_with_a_skipped_update_can_be_resumed(
    runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = new_run(runs_path, tiny_config(train__log_every=10, train__max_steps=10))
    make_nan(monkeypatch, lambda number: number == 1)
    train(folder, stop_at=3)
    monkeypatch.undo()
    train(folder, resume="last")
    (record,) = records(folder)
    assert record["skipped_updates"] == 1
    assert math.isfinite(record["loss"])


def test_weights_that_start_far_above_guessing_stop_the_run_with_an_explanation(
    runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Transformer.initialise

    def initialise(self: Transformer, seed: int) -> None:
        real(self, seed)
        with torch.no_grad():
            self.token_embedding.weight.mul_(100)

    monkeypatch.setattr(Transformer, "initialise", initialise)
    with pytest.raises(TrainingDiverged, match="the initial weights are too large"):
        train(new_run(runs_path, tiny_config()))


def test_a_head_that_is_not_tied_although_it_should_be_stops_the_run(
    runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Transformer.initialise

    def initialise(self: Transformer, seed: int) -> None:
        real(self, seed)
        copied = torch.nn.Parameter(self.token_embedding.weight.detach().clone())
        monkeypatch.setattr(Transformer, "output_weight", copied)

    monkeypatch.setattr(Transformer, "initialise", initialise)
    with pytest.raises(RuntimeError, match="tied_head is on"):
        train(new_run(runs_path, tiny_config()))


def test_a_loss_that_jumps_is_said_once(runs_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = new_run(runs_path, tiny_config(train__log_every=1, train__max_steps=40, optim__lr=1e-4))
    change_losses(monkeypatch, lambda number, loss: loss + (20.0 if 30 <= number < 33 else 0.0))
    train(folder)
    (message,) = said(folder, "spike")
    assert "at step 31" in message


def test_a_loss_that_gets_no_better_is_a_plateau(runs_path: Path) -> None:
    config = tiny_config(train__eval_every=2, train__max_steps=60, optim__lr=1e-9, optim__warmup_ratio=0.1)
    folder = new_run(runs_path, config)
    train(folder)
    assert len(said(folder, "plateau")) == 1


def test_a_step_that_stands_still_is_said(runs_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "STALL_LEAST_S", 0.2)
    real = Updater.make

    def make(self: Updater, step: int, *arguments: Any, **options: Any) -> Any:
        if step == 30:
            time.sleep(0.6)  # as a suspended machine or a slow disk does
        return real(self, step, *arguments, **options)

    monkeypatch.setattr(Updater, "make", make)
    folder = new_run(runs_path, tiny_config(train__max_steps=32))
    train(folder)
    (message,) = said(folder, "stall")
    assert message.startswith("step 31 took 0.6 s")


def test_memory_that_runs_out_halves_the_pass_and_keeps_the_update(
    runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_config(train__max_steps=8, train__log_every=1)
    whole = new_run(runs_path, config)
    train(whole)
    real = MaskedLanguageModelling.loss

    def loss(self: MaskedLanguageModelling, model: Any, batch: Any, counts: Any) -> Tensor:
        if len(batch.inputs) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory (a stand-in)")
        return real(self, model, batch, counts)

    monkeypatch.setattr(MaskedLanguageModelling, "loss", loss)
    folder = new_run(runs_path, config)
    trainer, outcome = train(folder)
    assert outcome.state == "finished"
    assert trainer.state.micro_batch == 2, "8, then 4, then 2"
    assert [r["loss"] for r in records(folder)] == pytest.approx([r["loss"] for r in records(whole)], rel=1e-5)
    warnings = [message for message in said(folder) if message.startswith("memory ran out")]
    assert warnings[-1].startswith("memory ran out: from here on 4 passes of 2 sequences make an update")
    loaded, _ = CheckpointStore(folder.checkpoints_dir).load("last")
    assert loaded.state.micro_batch == 2, "a resumed run begins with what fits"


def test_a_single_sequence_that_does_not_fit_ends_the_run_with_advice(
    runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loss(*_: Any) -> Any:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")

    monkeypatch.setattr(MaskedLanguageModelling, "loss", loss)
    with pytest.raises(OutOfMemory, match="sequence_length or the model smaller"):
        train(new_run(runs_path, tiny_config()))


def test_memory_that_runs_out_ends_the_run_where_the_batch_may_not_change(
    runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loss(*_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory (a stand-in)")

    monkeypatch.setattr(MaskedLanguageModelling, "loss", loss)
    with pytest.raises(torch.OutOfMemoryError):
        train(new_run(runs_path, tiny_config(train__fit_batch=False)))
