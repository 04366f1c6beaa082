"""Requests to a run that trains: what each changes, from which step on, and the answer it gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.checkpoints import CheckpointStore
from engine.optim import learning_rate
from engine.trainer import Trainer
from runs import control
from runs.control import Verb
from runs.events import CheckpointSaved, ControlAnswered, Evaluated, Probed, decode_event
from runs.folder import RunFolder
from runs.records import RecordTail
from tests.tiny import StopAt, new_run, prepare_attempt, tiny_config


class AskAt(StopAt):
    """Writes requests when the run has made so many steps, as a person would while it trains."""

    asks: dict[int, tuple[tuple[Verb, str], ...]]

    def poll(self) -> bool:
        assert self.trainer is not None
        for verb, value in self.asks.pop(self.trainer.state.step, ()):
            control.ask(self.folder, verb, value)
        return super().poll()


def train_and_ask(folder: RunFolder, asks: dict[int, tuple[tuple[Verb, str], ...]], resume: str = "") -> Trainer:
    """One attempt, with these requests at these steps."""
    prepared, world, recorder, _ = prepare_attempt(folder, resume=resume)
    asking = AskAt(folder, None)
    asking.asks = dict(asks)
    trainer = Trainer(prepared, world, recorder, asking)
    asking.trainer = trainer
    trainer.train()
    assert not asking.asks, "all were asked"
    return trainer


def records(folder: RunFolder, name: str) -> dict[int, Any]:
    found = [r for attempt in folder.attempts() for r in RecordTail(attempt.metrics_file).poll_all()]
    return {record["step"]: record[name] for record in found if name in record}


def events(folder: RunFolder, kind: type) -> list[Any]:
    found = [decode_event(r) for attempt in folder.attempts() for r in RecordTail(attempt.events_file).poll_all()]
    return [event for event in found if isinstance(event, kind)]


def answers(folder: RunFolder) -> list[tuple[int, str, bool]]:
    return [(event.step, event.verb, event.accepted) for event in events(folder, ControlAnswered)]


def test_a_learning_rate_holds_from_the_next_step_on_as_a_factor_and_as_a_number(runs_path: Path) -> None:
    config = tiny_config(train__log_every=1, optim__schedule="linear", optim__warmup_ratio=0.0)
    folder = new_run(runs_path, config)
    train_and_ask(folder, {5: (("lr", "x0.5"),), 10: (("lr", "2e-3"),)})
    rates = records(folder, "lr")
    scheduled = {step: learning_rate(config.optim, step - 1, 20) for step in range(1, 21)}
    assert [rates[step] for step in range(1, 6)] == [scheduled[step] for step in range(1, 6)]
    assert rates[6] == pytest.approx(0.5 * scheduled[6])
    assert rates[11] == pytest.approx(2e-3)
    assert rates[16] == pytest.approx(2e-3 * scheduled[16] / scheduled[11]), "the schedule goes on in proportion"
    assert answers(folder) == [(5, "lr", True), (10, "lr", True)]


def test_a_changed_rate_and_length_are_kept_when_the_run_is_resumed(runs_path: Path) -> None:
    folder = new_run(runs_path, tiny_config(train__log_every=1))
    first = train_and_ask(folder, {4: (("lr", "x0.25"), ("steps", "+10")), 8: (("pause", ""),)})
    assert first.state.step == 8
    second = train_and_ask(folder, {}, resume="last")
    assert second.state.step == 30 and second.state.lr_factor == 0.25
    straight = new_run(runs_path, tiny_config(train__log_every=1))
    train_and_ask(straight, {4: (("lr", "x0.25"), ("steps", "+10"))})
    assert records(folder, "loss") == records(straight, "loss"), "bit for bit as if it had not been paused"


def test_fewer_steps_than_are_made_end_the_run_at_once_with_its_last_evaluation(runs_path: Path) -> None:
    folder = new_run(runs_path, tiny_config())
    trainer = train_and_ask(folder, {7: (("steps", "3"),)})
    assert trainer.state.step == 7
    assert events(folder, Evaluated)[-1].step == events(folder, Probed)[-1].step == 7
    assert max(records(folder, "loss")) == 7
    assert CheckpointStore(folder.checkpoints_dir).resolve("last") == "step-00000007"


def test_evaluate_probe_and_checkpoint_happen_at_the_step_and_change_nothing_else(runs_path: Path) -> None:
    config = tiny_config(train__log_every=1)
    plain, asked = new_run(runs_path, config), new_run(runs_path, config)
    train_and_ask(plain, {})
    train_and_ask(asked, {3: (("evaluate", ""), ("probe", ""), ("checkpoint", ""))})
    assert records(asked, "loss") == records(plain, "loss")
    assert 3 in {event.step for event in events(asked, Evaluated)}
    assert 3 in {event.step for event in events(asked, Probed)}
    assert "step-00000003" in [event.name for event in events(asked, CheckpointSaved)]
    assert answers(asked) == [(3, "evaluate", True), (3, "probe", True), (3, "checkpoint", True)]
    assert not list(asked.control_dir.iterdir()), "answered requests leave the inbox"


def test_a_pause_saves_and_ends_as_paused_and_says_so(runs_path: Path) -> None:
    folder = new_run(runs_path, tiny_config())
    prepared, world, recorder, _ = prepare_attempt(folder)
    asking = AskAt(folder, None)
    asking.asks = {6: (("pause", ""),)}
    asking.trainer = trainer = Trainer(prepared, world, recorder, asking)
    outcome = trainer.train()
    assert (outcome.state, outcome.step, outcome.reason) == ("paused", 6, "paused on request")
    (answer,) = events(folder, ControlAnswered)
    assert answer.message == "paused at step 6, with a checkpoint"
    assert CheckpointStore(folder.checkpoints_dir).resolve("last") == "step-00000006"


def test_a_request_that_cannot_be_granted_is_refused_with_a_sentence_and_training_goes_on(runs_path: Path) -> None:
    folder = new_run(runs_path, tiny_config(probes__texts=()))
    trainer = train_and_ask(folder, {5: (("probe", ""),)})
    assert trainer.state.step == 20
    refused = [event for event in events(folder, ControlAnswered) if not event.accepted]
    assert refused[0].message == "the run has no probes (probes.texts is empty)"


def test_other_probes_are_used_at_once_and_kept_when_the_run_is_resumed(runs_path: Path) -> None:
    folder = new_run(runs_path, tiny_config())
    written = "the [MASK] of the => people\nwe the [MASK] => zzqx"
    first = train_and_ask(folder, {4: (("probes", written),), 8: (("pause", ""),)})
    assert first.state.probes == tuple(written.split("\n"))
    second = train_and_ask(folder, {}, resume="last")
    assert second.state.probes == first.state.probes
    texts = [(event.step, tuple(one.text for one in event.probes)) for event in events(folder, Probed)]
    before, after = ("the people of the [MASK]",), ("the [MASK] of the", "we the [MASK]")
    assert texts == [(0, before), (4, after), (10, after), (20, after)]
    said = [event for event in events(folder, ControlAnswered) if event.verb == "probes"]
    assert [event.message for event in said] == [
        "2 sentences are probed from step 4 on, 2 new, before 1; 'zzqx' is not in the vocabulary and has no rank"
    ]
    assert said[0].value == written, "who reads the run sees what holds"


def test_probes_that_the_model_can_make_nothing_of_are_refused_and_the_old_ones_stay(runs_path: Path) -> None:
    folder = new_run(runs_path, tiny_config())
    long = "the [MASK] " * 12
    trainer = train_and_ask(folder, {3: (("probes", "nothing hidden"),), 5: (("probes", long),)})
    assert trainer.state.probes is None
    said = [(event.accepted, event.message) for event in events(folder, ControlAnswered)]
    assert said == [
        (False, "sentence 1 has no [MASK]: 'nothing hidden'"),
        (False, "sentence 1: the sentence has 26 tokens, and the model takes 16"),
    ]
    assert [event.step for event in events(folder, Probed)] == [0, 10, 20]
