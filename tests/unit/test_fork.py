"""A fork begins with a verified copy of a checkpoint and goes on exactly as the run would have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.checkpoints import CheckpointStore
from presets.config import with_values
from presets.fields import Value
from runs.events import AttemptStarted, Baselines, Evaluated, decode_event
from runs.folder import RunFolder, all_runs
from runs.fork import CannotFork, checkpoint_facts, fork
from runs.records import RecordTail
from tests.tiny import new_run, tiny_config, train


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run of 30 steps that has kept its checkpoints."""
    environment = pytest.MonkeyPatch()
    base = tmp_path_factory.mktemp("fork")
    environment.setenv("TINYTRAIN_CACHE", str(base / "cache"))
    environment.setenv("XDG_DATA_HOME", str(base / "data"))
    folder = new_run(base / "runs", tiny_config(train__max_steps=30, train__keep_checkpoints=5))
    train(folder)
    environment.undo()
    return folder


def changed(folder: RunFolder, **changes: Value) -> RunFolder:
    config = with_values(folder.config(), {name.replace("__", "."): value for name, value in changes.items()})
    return fork(folder, "20", config, "branch")


def losses(folder: RunFolder) -> dict[int, float]:
    records = [r for attempt in folder.attempts() for r in RecordTail(attempt.events_file).poll_all()]
    return {e.step: e.loss for e in map(decode_event, records) if isinstance(e, Evaluated)}


def test_a_fork_goes_on_as_the_run_did(trained: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINYTRAIN_CACHE", str(trained.path.parent.parent / "cache"))
    new = changed(trained)
    assert new.about().forked_from == f"{trained.id}@step-00000020" and new.about().name == "branch"
    store = CheckpointStore(new.checkpoints_dir)
    assert store.choose("last") == ("step-00000020", "")
    train(new, resume="last")
    assert losses(new)[30] == losses(trained)[30]
    events = [decode_event(r) for r in RecordTail(new.attempts()[0].events_file).poll_all()]
    started = next(event for event in events if isinstance(event, AttemptStarted))
    assert started.resumed_from == "step-00000020"
    assert any(isinstance(event, Baselines) for event in events)


def test_what_was_changed_is_the_forks_own(trained: RunFolder) -> None:
    state = trained.checkpoints_dir / "step-00000020" / "state.json"
    before = json.loads(state.read_text())
    new = changed(trained, optim__lr=5e-3, train__batch_size=4, data__max_samples=10)
    after = json.loads((new.checkpoints_dir / "step-00000020" / "state.json").read_text())
    assert (after["lr_factor"], after["micro_batch"], after["best_loss"]) == (1.0, 0, None)
    kept = ("step", "samples", "tokens", "precision", "data")
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert not (new.checkpoints_dir / "best").exists()
    assert CheckpointStore(new.checkpoints_dir).damage("step-00000020") == ""
    assert new.config().optim.lr == 5e-3 and trained.config().optim.lr == 1e-2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model.hidden_size": 16}, "model.hidden_size"),
        ({"data.sequence_length": 24}, "data.sequence_length"),
        ({"optim.algorithm": "lion"}, "optim.algorithm"),
        ({"train.max_steps": 20}, "set it higher"),
    ],
)
def test_what_the_weights_do_not_fit_is_refused(trained: RunFolder, changes: dict[str, Value], said: str) -> None:
    before = all_runs(trained.path.parent)
    with pytest.raises(CannotFork, match=said):
        fork(trained, "20", with_values(trained.config(), changes), "")
    assert all_runs(trained.path.parent) == before


def test_a_checkpoint_that_is_not_there_is_said(trained: RunFolder) -> None:
    with pytest.raises(CannotFork, match="it has step-00000030, step-00000025"):
        fork(trained, "12", trained.config(), "")


def test_a_damaged_checkpoint_leaves_no_run_behind(trained: RunFolder, tmp_path: Path) -> None:
    file = trained.checkpoints_dir / "step-00000010" / "model.safetensors"
    content = file.read_bytes()
    before = all_runs(trained.path.parent)
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    try:
        with pytest.raises(CannotFork, match=r"model\.safetensors was altered"):
            fork(trained, "10", trained.config(), "")
    finally:
        file.write_bytes(content)
    assert all_runs(trained.path.parent) == before


def test_the_checkpoints_are_told_apart(trained: RunFolder) -> None:
    facts = checkpoint_facts(trained)
    assert [fact.step for fact in facts] == [30, 25, 20, 15, 10]
    assert facts[0].is_last and not facts[1].is_last and sum(fact.is_best for fact in facts) == 1
    assert all(fact.loss is not None and fact.num_bytes > 1000 for fact in facts)
