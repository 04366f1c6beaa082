"""A run without room on its disk: what waits, what is said, and how it ends. Real full disks: tests/faults."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import engine.disk_watch
import engine.saving
import engine.trainer
import runs.disk
from engine.checkpoints import CheckpointStore
from engine.recorder import Recorder
from runs.events import AttemptEnded, CheckpointSaved, DiskNoticed, Event, Notice, decode_event
from runs.folder import Attempt, RunFolder
from runs.records import RecordTail
from runs.reserve import Reserve
from runs.status import Outcome, read_outcome
from tests.file_limit import no_file_larger_than
from tests.tiny import new_run, prepare_attempt, tiny_config, train


class Disk:
    """What the program is told to be free; `then` is called every time it asks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free = 10**12
        self.num_looks = 0
        for module in (runs.disk, engine.saving, engine.disk_watch):
            monkeypatch.setattr(module, "free_bytes", self._look)
        monkeypatch.setattr(engine.saving, "_RETRY_S", 0.0)
        monkeypatch.setattr(engine.saving, "_RETRY_TIMES", 0)
        monkeypatch.setattr(engine.saving, "_ROOM_POLL_S", 0.001)

    def _look(self, path: Path) -> int:
        self.num_looks += 1
        self.then()
        return self.free

    def then(self) -> None:
        """Nothing, until a test says otherwise."""


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def events(folder: RunFolder, number: int = 1) -> list[Event]:
    tail = RecordTail(folder.attempt(number).events_file)
    return [decode_event(record) for record in tail.poll_all()]


def saved(folder: RunFolder) -> list[int]:
    return [event.step for event in events(folder) if isinstance(event, CheckpointSaved)]


def test_a_checkpoint_that_would_not_fit_is_not_begun_and_made_up_for_once_there_is_room(
    runs_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []
    real = CheckpointStore.save

    def counted(self: CheckpointStore, *args: object, **named: object) -> tuple[str, int]:
        tried.append(args[2].step)  # type: ignore[attr-defined]
        return real(self, *args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(CheckpointStore, "save", counted)
    folder = new_run(runs_path, tiny_config(train__eval_every=100, train__log_every=2))
    prepared, world, recorder, stop = prepare_attempt(folder)
    trainer = engine.trainer.Trainer(prepared, world, recorder, stop)

    def fill() -> None:
        disk.free = 1000 if 10 <= trainer.state.step < 13 else 10**12

    disk.then = fill
    assert trainer.train().state == "finished"
    assert tried == saved(folder) == [14, 20], "the next record after there was room, and the end"
    full, again = (event for event in events(folder) if isinstance(event, DiskNoticed))
    assert (full.step, full.is_full, again.step, again.is_full) == (10, True, 14, False)
    assert "step 10 could not be written" in full.message and "1.0 kB are" in full.message
    assert "there is none yet" in full.message


def test_the_end_of_a_run_waits_for_room_for_its_last_checkpoint(runs_path: Path, disk: Disk) -> None:
    folder = new_run(runs_path, tiny_config())
    prepared, world, recorder, stop = prepare_attempt(folder)
    trainer = engine.trainer.Trainer(prepared, world, recorder, stop)
    looks_at_end: list[int] = []

    def fill() -> None:
        if trainer.state.step == 20:
            looks_at_end.append(disk.num_looks)
            disk.free = 0 if len(looks_at_end) < 30 else 10**12

    disk.then = fill
    outcome = trainer.train()
    assert (outcome.state, outcome.reason) == ("finished", "all steps done")
    assert CheckpointStore(folder.checkpoints_dir).load("last")[0].state.step == 20
    said = [event for event in events(folder) if isinstance(event, DiskNoticed)]
    assert [event.is_full for event in said] == [True, True, False], "not again at every try"
    assert "all steps are done, and it needs" in said[1].message and "make room" in said[1].message


def test_a_run_that_is_stopped_while_it_waits_for_room_is_stopped_and_resumes(runs_path: Path, disk: Disk) -> None:
    folder = new_run(runs_path, tiny_config(train__max_steps=18))
    prepared, world, recorder, stop = prepare_attempt(folder)
    trainer = engine.trainer.Trainer(prepared, world, recorder, stop)
    looks: list[int] = []

    def fill() -> None:
        if trainer.state.step == 18:
            disk.free = 0
            looks.append(1)
            if len(looks) > 20:
                stop.reason = "stopped by SIGTERM"

    disk.then = fill
    outcome = trainer.train()
    assert (outcome.state, outcome.step) == ("stopped", 18)
    lost = "WITHOUT a checkpoint, for the disk is full: steps 16 to 18 have to be trained again"
    assert outcome.reason == f"stopped by SIGTERM {lost}"
    assert (outcome.saved_step, outcome.num_lost) == (15, 3)
    assert saved(folder)[-1] == 15
    disk.then, disk.free = lambda: None, 10**12
    assert train(folder, resume="last")[1].state == "finished"
    assert CheckpointStore(folder.checkpoints_dir).load("last")[0].state.step == 18


def test_records_wait_while_the_disk_is_full_and_it_is_said_before_and_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine.disk_watch, "_LOOK_INTERVAL_S", 0.0)
    attempt = Attempt(tmp_path / "run" / "attempts" / "0001")
    attempt.path.mkdir(parents=True)
    recorder = Recorder(attempt, is_main=True)
    assert Reserve(attempt).path.exists()
    recorder.event(0, Notice(level="info", message="one"))
    for step in range(1, 20):
        recorder.metrics(step, step, {"loss": 1.0})
    with no_file_larger_than(attempt.metrics_file.stat().st_size + 10):
        recorder.metrics(20, 20, {"loss": 1.0})
        assert not Reserve(attempt).path.exists(), "its room is for what has to be said now"
        recorder.event(20, Notice(level="info", message="two"))
        recorder.metrics(21, 21, {"loss": 1.0})
        assert recorder.is_behind()
        seen = [decode_event(record) for record in RecordTail(attempt.events_file).poll_all()]
        assert isinstance(seen[-1], DiskNoticed) and seen[-1].is_full
        assert str(tmp_path / "run") in seen[-1].message
    recorder.metrics(22, 22, {"loss": 1.0})
    assert not recorder.is_behind() and Reserve(attempt).path.exists()
    steps = [record["step"] for record in RecordTail(attempt.metrics_file).poll_all()]
    assert steps == list(range(1, 23))
    seen = [decode_event(record) for record in RecordTail(attempt.events_file).poll_all()]
    kinds = [event.is_full if isinstance(event, DiskNoticed) else event.message for event in seen]  # type: ignore[union-attr]
    assert kinds == ["one", True, "two", False]
    assert [event.seq for event in seen] == sorted(event.seq for event in seen)


def test_an_outcome_without_room_is_written_as_soon_as_there_is_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = Attempt(tmp_path / "run" / "attempts" / "0001")
    attempt.path.mkdir(parents=True)
    recorder = Recorder(attempt, is_main=True)
    recorder.event(7, AttemptEnded(state="finished", reason="all steps done"))
    naps: list[float] = []
    before = engine.recorder.write_atomically

    def full_at_first(path: Path, content: bytes) -> None:
        if len(naps) < 3:
            raise OSError(28, "No space left on device")
        before(path, content)

    monkeypatch.setattr(engine.recorder, "write_atomically", full_at_first)
    monkeypatch.setattr(time, "sleep", naps.append)
    recorder.outcome(Outcome(state="finished", reason="all steps done", step=7, total_steps=7))
    outcome = read_outcome(attempt)
    assert outcome is not None and outcome.state == "finished" and len(naps) == 3
    assert not Reserve(attempt).path.exists()


def test_a_run_that_is_stopped_on_a_full_disk_ends_without_a_checkpoint_and_says_so(
    runs_path: Path, disk: Disk
) -> None:
    folder = new_run(runs_path, tiny_config())
    prepared, world, recorder, stop = prepare_attempt(folder, stop_at=13)
    trainer = stop.trainer = engine.trainer.Trainer(prepared, world, recorder, stop)

    def fill() -> None:
        disk.free = 0 if trainer.state.step >= 11 else 10**12

    disk.then = fill
    outcome = trainer.train()
    assert (outcome.state, outcome.step, outcome.saved_step) == ("stopped", 13, 10)
    assert "WITHOUT a checkpoint" in outcome.reason
    assert outcome.reason.endswith(": steps 11 to 13 have to be trained again")
    (full,) = (event for event in events(folder) if isinstance(event, DiskNoticed))
    assert full.message.endswith("the last one is of step 10, and the run ends with that")
