"""A list of runs is cheap, true, and moves with the runs."""

from pathlib import Path

import msgspec
import pytest

from runs.events import DiskNoticed
from runs.folder import Attempt
from runs.outcome import Ending, conclude
from runs.processes import this_host
from runs.queue_entry import QueueEntry, leave, owner_of, write_entry
from runs.rank_marks import Mark, mark_file
from runs.reader import RunReader
from runs.records import RecordTail, RecordWriter
from runs.run_details import last_figures
from runs.run_entry import RunEntry
from runs.summary import RunIndex
from tests.run_writer import AttemptWriter, Supervision, finished_run, new_run


def test_an_ended_run_is_summed_up_from_its_outcome(tmp_path: Path) -> None:
    folder = finished_run(tmp_path, steps=400)
    (row,) = RunIndex(tmp_path).poll()
    assert (row.id, row.name, row.preset, row.status.state) == (folder.id, "warm-otter", "quickstart", "finished")
    assert (row.step, row.total_steps, row.dataset) == (400, 400, "addresses (embedded)")
    assert row.best_loss is not None and row.last_loss is not None and row.best_loss <= row.last_loss
    assert row.elapsed_s > 0


def test_of_an_older_run_the_events_tell_the_dataset(tmp_path: Path) -> None:
    finished_run(tmp_path, steps=400).change_about(dataset="")
    new_run(tmp_path).change_about(dataset="")
    assert [row.dataset for row in RunIndex(tmp_path).poll()] == ["addresses (embedded)"] * 2


def test_details_come_with_later_polls(tmp_path: Path) -> None:
    finished_run(tmp_path, steps=400)
    index = RunIndex(tmp_path)
    assert index.poll()[0].num_bytes is None
    (row,) = index.poll()
    assert row.num_bytes is not None and row.num_bytes > 1000
    assert len(row.losses) == 5
    assert index.poll()[0] is row


def test_the_details_of_runs_in_sight_come_first_and_no_longer_than_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = sorted(finished_run(tmp_path, f"run-{number}", steps=100).id for number in range(6))
    read: list[str] = []
    original = RunEntry.add_details
    monkeypatch.setattr(RunEntry, "add_details", lambda self: (read.append(self.folder.id), original(self))[1])
    index = RunIndex(tmp_path)
    index.poll()
    wanted = ids[1:3]  # far from the newest, which come first otherwise
    assert index.poll(details_s=0.0, first=wanted) and read == [] and index.lacks_details_of(wanted)
    rows = index.poll(first=wanted)
    assert set(read[:2]) == set(wanted) and read[2:] == [ids[5], ids[4], ids[3], ids[0]]
    assert all(row.num_bytes for row in rows) and not index.lacks_details_of(ids)


def test_the_last_figures_are_the_newest_numbers_of_each_metric(tmp_path: Path) -> None:
    attempt = new_run(tmp_path).attempt(1)
    attempt.path.mkdir(parents=True)
    writer = RecordWriter(attempt.metrics_file)
    for step, more in enumerate(
        (
            {"loss": 3.0, "old": 1},
            {"loss": 2.0, "val_loss": 2.5},
            {"loss": None, "gap": float("nan")},
            {"huge": 10**400},
        )
    ):
        writer.write({"step": step, "time": 1.0 + step, "gap": 0.5, **more})
    writer.close()
    with attempt.metrics_file.open("ab") as file:
        file.write(b'{"loss": 99}\n{"torn')
    empty = new_run(tmp_path).attempt(1)
    empty.path.mkdir(parents=True)
    assert last_figures((attempt, empty)) == {"step": 3.0, "loss": 2.0, "val_loss": 2.5, "old": 1.0, "gap": 0.5}
    assert last_figures(()) == {}


def test_an_ended_run_is_not_read_again(tmp_path: Path) -> None:
    finished_run(tmp_path)
    index = RunIndex(tmp_path)
    index.poll()
    first = index.poll()
    reads: list[Path] = []
    original = RecordTail.poll

    def counting(self: RecordTail, *arguments: int) -> list[dict[str, object]]:
        reads.append(self.path)
        return original(self, *arguments)

    RecordTail.poll = counting  # type: ignore[method-assign,assignment]
    try:
        assert index.poll() is first
    finally:
        RecordTail.poll = original  # type: ignore[method-assign]
    assert reads == []


def test_a_live_run_moves(tmp_path: Path) -> None:
    folder = new_run(tmp_path)
    supervision = Supervision(folder)
    supervision.state("running")
    writer = AttemptWriter(folder)
    index = RunIndex(tmp_path)
    assert index.poll()[0].step == 0
    writer.start()
    writer.run_to(100)
    (row,) = index.poll()
    assert (row.status.state, row.step, row.total_steps, len(row.losses)) == ("running", 100, 1200, 1)
    writer.run_to(210)
    (row,) = index.poll()
    assert (row.step, len(row.losses)) == (210, 2)
    writer.end("stopped", "you stopped it")
    supervision.close()
    (row,) = index.poll()
    assert row.status.state == "stopped"


def test_a_resume_hides_later_evaluations(tmp_path: Path) -> None:
    folder = new_run(tmp_path)
    first = AttemptWriter(folder)
    first.start()
    first.run_to(200)
    first.evaluate(0.5)
    first.close()
    supervision = Supervision(folder, 2)
    supervision.state("running")
    second = AttemptWriter(folder, 2)
    second.start(step=150)
    second.train(160, 1.0)
    second.close()
    (row,) = RunIndex(tmp_path).poll()
    assert row.best_step == 100 and row.step == 160
    supervision.close()


def test_a_failed_run_names_its_root_cause(tmp_path: Path) -> None:
    writer = AttemptWriter(new_run(tmp_path))
    writer.start()
    writer.run_to(100)
    writer.fail("OutOfMemoryError", "CUDA out of memory", rank=3)
    (row,) = RunIndex(tmp_path).poll()
    assert row.root_cause == "rank 3: OutOfMemoryError: CUDA out of memory"


def test_an_engine_that_vanished_still_has_its_losses(tmp_path: Path) -> None:
    writer = AttemptWriter(new_run(tmp_path))
    writer.start()
    writer.run_to(250)
    writer.close()
    (row,) = RunIndex(tmp_path).poll()
    assert not row.status.is_live
    assert (row.step, row.best_loss) == (250, min(row.losses))


def test_a_run_that_was_never_started_shows_what_it_plans(tmp_path: Path) -> None:
    new_run(tmp_path)
    (row,) = RunIndex(tmp_path).poll()
    assert (row.dataset, row.step, row.best_loss) == ("addresses (embedded)", 0, None)


def test_newest_come_first_and_a_deleted_run_goes(tmp_path: Path) -> None:
    folders = [finished_run(tmp_path, name) for name in ("one", "two", "three")]
    index = RunIndex(tmp_path)
    ids = [row.id for row in index.poll()]
    assert ids == sorted((folder.id for folder in folders), reverse=True)
    folders[1].path.rename(tmp_path / "elsewhere")
    assert len(index.poll()) == 2


def test_a_new_name_is_seen(tmp_path: Path) -> None:
    folder = finished_run(tmp_path)
    index = RunIndex(tmp_path)
    index.poll()
    about = folder.about()
    folder.write_about(type(about)(name="other", preset=about.preset, created=about.created))
    assert index.poll()[0].name == "other"


def mark(attempt: Attempt, step: int) -> None:
    attempt.ranks_dir.mkdir(exist_ok=True)
    mark_file(attempt, 0).write_bytes(msgspec.json.encode(Mark(step, "in training", 0, False, 1.0)))


def test_a_poll_at_rest_touches_a_few_ended_runs_and_misses_no_edit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runs.summary._ENDED_A_POLL", 3)
    folders = [finished_run(tmp_path, f"run-{number}", steps=100) for number in range(9)]
    live = new_run(tmp_path, "alive")
    supervision = Supervision(live)
    supervision.state("running")
    index = RunIndex(tmp_path)
    index.complete()
    assert index.num_live == 1 and not index.lacks_details
    looked_at: list[str] = []
    original = RunEntry.poll
    monkeypatch.setattr(RunEntry, "poll", lambda self: (looked_at.append(self.folder.id), original(self))[1])
    before = index.poll()
    assert index.poll() is before and looked_at.count(live.id) >= 2
    assert len(looked_at) <= 2 * (1 + 3)
    folders[4].change_about(pinned=True)
    for _ in range(4):
        index.poll()
    assert {folder.id for folder in folders} <= set(looked_at)
    assert [row.name for row in index.poll() if row.pinned] == ["run-4"]
    supervision.close()


def test_a_full_disk_is_named_and_the_step_is_still_the_true_one(tmp_path: Path) -> None:
    folder = new_run(tmp_path)
    supervision = Supervision(folder)
    supervision.state("running")
    writer = AttemptWriter(folder)
    index, reader = RunIndex(tmp_path), RunReader(folder)
    writer.start()
    writer.run_to(100)
    mark(writer.attempt, 107)
    assert (index.poll()[0].step, index.poll()[0].remark, reader.poll().step) == (100, "", 100)
    writer.say(DiskNoticed(step=100, is_full=True, message="the disk is full"))
    assert (index.poll()[0].step, reader.poll().step) == (107, 107)
    mark(writer.attempt, 232)  # and nothing is recorded
    (row,), snapshot = index.poll(), reader.poll()
    assert (row.step, snapshot.step, snapshot.eta_s) == (232, 232, None)
    assert row.remark.startswith("disk full: make room")
    writer.say(DiskNoticed(step=232, is_full=False, message="there is room again"))
    writer.train(240, 1.0)
    (row,), snapshot = index.poll(), reader.poll()
    assert (row.step, row.remark, snapshot.step) == (240, "", 240) and snapshot.eta_s is not None
    writer.close()
    supervision.close()


def test_a_killed_run_says_so_and_its_time_is_the_same_everywhere(tmp_path: Path) -> None:
    folder = new_run(tmp_path)
    writer = AttemptWriter(folder)
    writer.start()
    writer.run_to(250)
    writer.close()
    conclude(folder, writer.attempt, Ending(returncode=-9, elapsed_s=226.0, wanted="kill", killed=5.0))
    (row,), snapshot = RunIndex(tmp_path).poll(), RunReader(folder).poll()
    assert row.status.state == "stopped"
    assert row.remark == "killed; steps 201 to 250 have to be trained again"
    assert row.elapsed_s == snapshot.elapsed_s == 226.0


def test_a_resumed_run_never_goes_back_to_its_beginning(tmp_path: Path) -> None:
    folder = new_run(tmp_path)
    first = AttemptWriter(folder)
    first.start()
    first.run_to(220)
    first.end("stopped", "you stopped it")
    index = RunIndex(tmp_path)
    before = index.poll()[0].elapsed_s
    assert (index.poll()[0].step, index.poll()[0].remark) == (220, "")
    supervision = Supervision(folder, 2)
    write_entry(folder, QueueEntry(order=1.0, since=1.0, host=this_host(), owner=owner_of(folder), after=1))
    supervision.state("queued")
    (row,) = index.poll()
    assert (row.status.state, row.step, row.elapsed_s) == ("queued", 220, before)
    leave(folder)
    second = AttemptWriter(folder, 2)
    supervision.state("starting")
    assert (index.poll()[0].step, index.poll()[0].total_steps) == (220, 1200)
    second.start(step=200)
    supervision.state("running")
    assert index.poll()[0].step == 200
    second.train(210, 2.0)
    assert index.poll()[0].step == 210
    assert index.poll()[0].elapsed_s == before + 2.0
    assert RunReader(folder).poll().elapsed_s == before + 2.0
    second.close()
    supervision.close()
