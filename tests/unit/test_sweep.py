"""Sweeps on disk: runs queued with the sweep's id, the table of what came of them, and the verb."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from presets.catalog import find_preset
from presets.sweep_axes import Sweep, make_sweep, parse_axis
from runs.folder import RunFolder, all_runs, create_run
from runs.queue import in_order
from runs.queue_entry import QueueEntry, write_entry
from runs.recent import recent_configs
from runs.spawn import LaunchFailed
from runs.summary import RunIndex
from runs.sweep import (
    SweepNotFound,
    SweepReader,
    SweepStopped,
    find_sweep,
    new_sweep_id,
    start_sweep,
    sweep_table,
    sweeps,
)
from tests.run_writer import AttemptWriter, sweep_member
from tui.cli import main
from tui.sweep_words import state_words


def sweep_of(*axes: str) -> Sweep:
    return make_sweep(find_preset("quickstart").config, [parse_axis(axis) for axis in axes])


@pytest.fixture
def queued(monkeypatch: pytest.MonkeyPatch) -> list[RunFolder]:
    """Whose supervisors would have been started; their places in the queue are real."""
    folders: list[RunFolder] = []
    monkeypatch.setattr("runs.queue.attend", lambda folder, entry: folders.append(folder))
    return folders


def test_every_point_becomes_a_queued_run_that_carries_the_sweep(runs_path: Path, queued: list[RunFolder]) -> None:
    sweep = sweep_of("optim.lr=1e-4,1e-3", "train.batch_size=16,32")
    begun: list[int] = []
    started = start_sweep(
        runs_path, sweep, preset="quickstart", id="quick-1234", begun=lambda number, folder: begun.append(number)
    )
    assert list(started) == queued and begun == [1, 2, 3, 4]
    assert [folder.config() for folder in started] == [point.config for point in sweep.points]
    about = started[0].about()
    assert (about.name, about.preset, about.sweep) == ("lr=0.0001,batch_size=16", "quickstart", "quick-1234")
    assert about.tags == ("sweep", "quick-1234")


def test_a_sweep_that_stops_in_the_middle_says_which_runs_are_queued(
    runs_path: Path, queued: list[RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    def attend(folder: RunFolder, entry: QueueEntry) -> None:
        if len(queued) == 2:
            raise LaunchFailed("its supervisor ended at once")
        queued.append(folder)

    monkeypatch.setattr("runs.queue.attend", attend)
    with pytest.raises(
        SweepStopped, match=r"run 3 of 4 .* the first 2 are in the queue: its supervisor ended"
    ) as raised:
        start_sweep(runs_path, sweep_of("model.num_layers=1..4"), preset="q", id="q-1")
    assert raised.value.started == tuple(queued)
    assert {folder for folder, _ in in_order(runs_path)} == set(all_runs(runs_path)) == set(queued)


def test_a_sweep_whose_dashboard_goes_away_stands_in_the_queue_whole(
    runs_path: Path, queued: list[RunFolder]
) -> None:
    sweep = sweep_of("model.num_layers=1..4")
    waiting: list[int] = []

    def is_wanted() -> bool:
        waiting.append(len(in_order(runs_path)))
        return len(queued) < 1

    started = start_sweep(runs_path, sweep, preset="q", id="q-1", is_wanted=is_wanted)
    assert waiting[0] == 4  # before the first supervisor: a dashboard may also be shot
    assert len(queued) == 1 and tuple(folder for folder, _ in in_order(runs_path)) == started
    assert [folder.config() for folder in started] == [point.config for point in sweep.points]


def test_a_sweep_that_cannot_be_queued_whole_leaves_nothing(
    runs_path: Path, queued: list[RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[RunFolder] = []

    def write(folder: RunFolder, entry: QueueEntry) -> None:
        if len(written) == 2:
            raise OSError("no space is left")
        write_entry(folder, entry)
        written.append(folder)

    monkeypatch.setattr("runs.queue.write_entry", write)
    with pytest.raises(SweepStopped, match="none of the 4 runs was queued: no space is left") as raised:
        start_sweep(runs_path, sweep_of("model.num_layers=1..4"), preset="q", id="q-1")
    assert raised.value.started == () and all_runs(runs_path) == () and not queued


def test_the_table_has_the_best_first_and_what_was_varied(runs_path: Path) -> None:
    sweep_member(runs_path, "q-1", 6.5, lr=1e-4, weight_decay=0.1)
    best = sweep_member(runs_path, "q-1", 5.5, lr=1e-3, weight_decay=0.1)
    waiting = sweep_member(runs_path, "q-1", None, lr=1e-2, weight_decay=0.1)
    sweep_member(runs_path, "other-1", 1.0, lr=1e-5)
    table = sweep_table(runs_path, "q-1")
    assert table.paths == ("optim.lr",)
    assert [row.place for row in table.rows] == [1, 2, 0]
    assert table.rows[0].run.folder == best and table.rows[0].is_best
    assert table.rows[0].values == {"optim.lr": 1e-3}
    assert table.rows[2].run.folder == waiting


def test_runs_that_never_began_are_not_called_done(runs_path: Path) -> None:
    sweep_member(runs_path, "q-1", 6.5, lr=1e-4)
    sweep_member(runs_path, "q-1", None, lr=1e-3)  # as when it was taken out of the queue
    table = sweep_table(runs_path, "q-1")
    assert (table.num_over, table.num_idle) == (1, 1)
    assert state_words(table).startswith("1 of 2 done, 1 never begun; best 6.5000")
    (one,) = sweeps(RunIndex(runs_path).poll())
    assert one.num_over == 1


def test_a_sweep_is_one_of_the_recent_configurations_by_its_best_run(runs_path: Path) -> None:
    sweep_member(runs_path, "q-1", 6.5, lr=1e-4)
    best = sweep_member(runs_path, "q-1", 5.5, lr=1e-3)
    sweep_member(runs_path, "q-1", None, lr=1e-2)
    alone = create_run(runs_path, find_preset("quickstart").config)
    found = {one.folder: one for one in recent_configs(runs_path)}
    assert set(found) == {best, alone}
    assert (found[best].num_runs, found[best].best_loss) == (3, 5.5)
    assert (found[alone].num_runs, found[alone].best_loss) == (1, None)


def test_a_reader_gives_the_same_table_until_something_is_new(runs_path: Path) -> None:
    sweep_member(runs_path, "q-1", 6.5, lr=1e-4)
    reader = SweepReader(runs_path, "q-1")
    reader.poll()
    first = reader.poll()  # an ended run's details come with the second look
    assert reader.poll() is first and first.rows[0].run.best_loss == 6.5
    sweep_member(runs_path, "q-1", 5.5, lr=1e-3)
    second = reader.poll()
    assert second is not first and len(second.rows) == 2 and second.paths == ("optim.lr",)


def test_a_sweep_is_found_by_its_beginning_and_by_last(runs_path: Path) -> None:
    with pytest.raises(SweepNotFound, match="no sweep yet"):
        sweep_table(runs_path, "last")
    sweep_member(runs_path, "alpha-1111", 6.0, lr=1e-4)
    later = sweep_member(runs_path, "alpha-2222", 5.0, lr=1e-4)
    later.write_about(msgspec.structs.replace(later.about(), created=later.about().created + 5))
    rows = RunIndex(runs_path).poll()
    assert [one.id for one in sweeps(rows)] == ["alpha-2222", "alpha-1111"]
    assert find_sweep(rows, "last") == "alpha-2222"
    assert find_sweep(rows, "alpha-1") == "alpha-1111"
    with pytest.raises(SweepNotFound, match="means several sweeps; there are alpha-2222, alpha-1111"):
        find_sweep(rows, "alpha")
    with pytest.raises(SweepNotFound, match="is no sweep"):
        find_sweep(rows, "beta")


def test_ids_are_readable_and_never_the_same() -> None:
    ids = {new_sweep_id("v3 8×H200!") for _ in range(50)}
    assert len(ids) == 50 and all(id.startswith("v3-8-h200-") for id in ids)


def test_the_verb_lists_what_it_would_start_and_starts_nothing(
    runs_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["sweep", "quickstart", "--grid", "num_heads=2,3,4"]
    assert main(words) == 0
    shown = capsys.readouterr()
    assert "2 runs of about" in shown.out
    assert "num_heads=3" in shown.err and "nothing was started" in shown.err
    assert main([*words, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [run["values"] for run in document["runs"]] == [{"model.num_heads": 2}, {"model.num_heads": 4}]
    assert document["left_out"][0]["name"] == "num_heads=3" and document["time_s"] > 0
    assert all_runs(runs_path) == ()
    assert main(["sweep", "quickstart", "--grid", "lr=9"]) == 2
    assert "optim.lr: 9 is above the limit" in capsys.readouterr().err


def test_the_verb_queues_and_then_shows_the_sweep(
    runs_path: Path, queued: list[RunFolder], capsys: pytest.CaptureFixture[str]
) -> None:
    draw = ["--over", "lr=1e-4..1e-2:log", "--random", "3", "--seed", "7"]
    assert main(["sweep", "quickstart", *draw, "--start", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["runs"] == [folder.id for folder in queued] and len(queued) == 3
    for folder, loss in zip(queued, (6.0, 5.0, 7.0), strict=True):
        attempt = AttemptWriter(folder)
        attempt.start()
        attempt.train(10, 1.0)
        attempt.evaluate(loss)
        attempt.end("finished")
    assert main(["sweep", "show", "last", "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert table["id"] == document["id"] and table["fields"] == ["optim.lr"]
    assert [run["id"] for run in table["runs"]] == [queued[1].id, queued[0].id, queued[2].id]
    assert [run["is_best"] for run in table["runs"]] == [True, False, False]
    assert main(["sweep", "show"]) == 0
    assert "★ 1" in capsys.readouterr().out
    assert main(["sweep", "list", "--json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)
    assert one["num_runs"] == 3 and one["best"]["id"] == queued[1].id
