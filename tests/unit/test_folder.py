"""Run folders: made, found, described, and hard to lead astray."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from presets.config import with_values
from presets.schema import RunConfig
from runs.folder import About, RunFolder, RunNotFound, all_runs, create_run, find_run, runs_dir, write_atomically
from runs.safe_files import RUN_ID


def test_a_new_run_holds_its_whole_configuration(runs_path: Path) -> None:
    config = with_values(RunConfig(), {"optim.lr": 0.0123})
    folder = create_run(runs_path, config, name="sweep 1", preset="quickstart")
    assert folder.config() == config
    assert folder.about().name == "sweep 1" and folder.about().preset == "quickstart"
    assert folder.attempts() == ()
    assert folder.path.stat().st_mode & 0o077 == 0


def test_a_name_is_data_and_never_a_path(runs_path: Path) -> None:
    folder = create_run(runs_path, RunConfig(), name="../../etc/passwd", preset="../../x y/Z")
    assert folder.path.parent == runs_path
    assert folder.about().name == "../../etc/passwd"
    assert "/" not in folder.id and " " not in folder.id


def test_where_new_folders_are_not_ones_own_no_run_is_made(
    runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a mount that gives everything to nobody."""
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    with pytest.raises(PermissionError, match=r"no run can be made in .* choose another folder"):
        create_run(runs_path, RunConfig())
    assert list(runs_path.iterdir()) == []


def test_two_runs_of_one_second_have_folders_of_their_own(runs_path: Path) -> None:
    folders = [create_run(runs_path, RunConfig(), preset="same") for _ in range(20)]
    assert len({folder.id for folder in folders}) == 20
    assert {folder.id for folder in all_runs(runs_path)} == {folder.id for folder in folders}


def test_runs_of_one_second_stand_in_the_order_in_which_they_were_made(
    runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = iter([1_700_000_000.0 + thousandths / 1000.0 for thousandths in (0, 2, 40, 500, 999, 1000)])
    made = []
    for preset in ("zebra", "", "quickstart", "alpha", "v1", "b"):
        now = next(moments)
        monkeypatch.setattr("time.time", lambda now=now: now)
        made.append(create_run(runs_path, RunConfig(), preset=preset))
    assert all(RUN_ID.fullmatch(folder.id) for folder in made)
    assert list(reversed(all_runs(runs_path))) == made


def test_links_and_foreign_folders_are_no_runs(runs_path: Path, tmp_path: Path) -> None:
    folder = create_run(runs_path, RunConfig())
    (runs_path / "notes").mkdir()
    (runs_path / ".trash").mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (runs_path / (folder.id[:-4] + "zzzz")).symlink_to(elsewhere)
    assert all_runs(runs_path) == (folder,)
    assert all_runs(tmp_path / "nowhere") == ()


def test_a_run_is_found_by_id_beginning_name_or_last(runs_path: Path) -> None:
    first = create_run(runs_path, RunConfig(), name="otter", preset="a")
    second = create_run(runs_path, RunConfig(), name="heron", preset="b")
    newest = all_runs(runs_path)[0]
    assert find_run(runs_path, first.id) == first
    assert find_run(runs_path, second.id[:-2]) == second
    assert find_run(runs_path, "otter") == first
    assert find_run(runs_path, "last") == newest


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [("twin", r"means 2 runs: .*; say which by its id"), ("", "there is no run ''"), ("x", "there is no run 'x'")],
)
def test_a_reference_that_is_not_clear_says_so(runs_path: Path, reference: str, sentence: str) -> None:
    for _ in range(2):
        create_run(runs_path, RunConfig(), name="twin")
    with pytest.raises(RunNotFound, match=sentence):
        find_run(runs_path, reference)


def test_no_runs_at_all_is_said(runs_path: Path) -> None:
    with pytest.raises(RunNotFound, match="there are no runs in"):
        find_run(runs_path, "last")


def test_a_damaged_description_falls_back_to_the_id(runs_path: Path) -> None:
    folder = create_run(runs_path, RunConfig(), name="otter")
    folder.about_file.write_bytes(b'{"name": 3')
    assert folder.about() == About(name=folder.id)


def test_attempts_come_in_order_and_strangers_are_passed_over(runs_path: Path) -> None:
    folder = create_run(runs_path, RunConfig())
    for name in ("0010", "0002", "0001", "notes", "3rd", "1²"):
        (folder.path / "attempts" / name).mkdir()
    assert [attempt.number for attempt in folder.attempts()] == [1, 2, 10]


def test_where_the_runs_are_can_be_said(runs_path: Path, tmp_path: Path) -> None:
    assert runs_dir() == runs_path
    assert runs_dir(tmp_path / "x") == tmp_path / "x"


def test_an_atomic_write_that_fails_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_atomically(path, b"old")
    with pytest.raises(TypeError):
        write_atomically(path, "text")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_file()] == ["state.json"]


def test_the_description_can_be_rewritten(runs_path: Path) -> None:
    folder = create_run(runs_path, RunConfig(), name="otter")
    folder.write_about(msgspec.structs.replace(folder.about(), tags=("good",), note="kept"))
    assert RunFolder(folder.path).about().tags == ("good",)
