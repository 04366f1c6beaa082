"""Deleted runs lie in the trash and come back, until a person empties it; then nothing of them is left."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from presets.schema import RunConfig
from runs.disk import bytes_under
from runs.folder import RunFolder, all_runs, create_run
from runs.launch import child_environment
from runs.lock import RunBusy, held_lock
from runs.trash import TRASH, delete_run, empty, half_purged, in_trash, undelete_run
from tests.run_writer import finished_run

NOBODY = 65_534


@pytest.fixture
def deleted(runs_path: Path) -> Path:
    """The folder in the trash of a run that has ended."""
    return delete_run(finished_run(runs_path, "otter", steps=100))


def test_a_deleted_run_is_out_of_sight_and_comes_back(runs_path: Path) -> None:
    folder = create_run(runs_path, RunConfig(), name="otter")
    trash = delete_run(folder)
    assert all_runs(runs_path) == ()
    assert trash == runs_path / TRASH / folder.id
    assert undelete_run(trash) == folder
    assert all_runs(runs_path) == (folder,) and folder.about().name == "otter"


def test_a_live_run_is_not_deleted(runs_path: Path) -> None:
    folder = create_run(runs_path, RunConfig())
    with held_lock(folder), pytest.raises(RunBusy, match="stop it first"):
        delete_run(folder)
    assert all_runs(runs_path) == (folder,)


def test_what_is_no_run_is_not_deleted(runs_path: Path, tmp_path: Path) -> None:
    folder = create_run(runs_path, RunConfig())
    link = runs_path / (folder.id[:-4] + "zzzz")
    link.symlink_to(folder.path)
    for path in (link, tmp_path, runs_path / "20250101-000000-gone-abcd"):
        with pytest.raises(ValueError, match="is not the folder of a run"):
            delete_run(RunFolder(path))


def test_a_trash_that_leads_elsewhere_is_not_used(runs_path: Path, tmp_path: Path) -> None:
    folder = create_run(runs_path, RunConfig())
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (runs_path / TRASH).symlink_to(elsewhere)
    with pytest.raises(ValueError, match="is not a folder"):
        delete_run(folder)
    (elsewhere / folder.id).mkdir()
    assert in_trash(runs_path) == () and half_purged(runs_path) == ()
    with pytest.raises(ValueError, match="is not a run in the trash"):
        undelete_run(runs_path / TRASH / folder.id)
    assert (elsewhere / folder.id).exists()


def test_only_a_run_in_the_trash_comes_back(runs_path: Path) -> None:
    folder = create_run(runs_path, RunConfig())
    with pytest.raises(ValueError, match="is not a run in the trash"):
        undelete_run(folder.path)
    trash = delete_run(folder)
    folder.path.mkdir()
    with pytest.raises(FileExistsError, match="already a run"):
        undelete_run(trash)


def test_its_time_in_the_trash_begins_with_the_deletion_however_old_the_run_is(
    runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = create_run(runs_path, RunConfig())
    folder.lock_file.touch()  # as a run has it that was ever started
    os.utime(folder.path, (1.0, 1.0))
    original = Path.rename

    def killed(self: Path, target: Path) -> None:
        original(self, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        delete_run(folder)
    (one,) = in_trash(runs_path)
    assert (one.id, one.folder.id) == (folder.id, folder.id) and time.time() - one.deleted < 60


def test_what_is_chosen_goes_for_good_and_no_link_is_followed(runs_path: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("x")
    old, new = (create_run(runs_path, RunConfig(), preset=name) for name in ("old", "new"))
    (old.path / "link").symlink_to(tmp_path)
    old_trash, new_trash = delete_run(old), delete_run(new)
    (runs_path / TRASH / "20250101-000000-link-abcd").symlink_to(tmp_path)
    os.utime(old_trash, (1.0, 1.0))
    assert [one.path for one in in_trash(runs_path)] == [new_trash, old_trash]
    size = bytes_under(old_trash)
    emptied = empty(runs_path, [one for one in in_trash(runs_path) if one.path == old_trash])
    assert (emptied.num_runs, emptied.num_bytes, emptied.problems) == (1, size, ())
    assert sorted(path.name for path in (runs_path / TRASH).iterdir()) == ["20250101-000000-link-abcd", new.id]
    assert precious.exists() and size > 1000


def test_a_run_that_was_brought_back_meanwhile_stays(runs_path: Path, deleted: Path) -> None:
    found = in_trash(runs_path)
    folder = undelete_run(deleted)
    emptied = empty(runs_path, found)
    assert emptied.num_runs == 0 and emptied.problems == (
        f"{folder.id}: {folder.id} is not in the trash any more",
    )
    assert all_runs(runs_path) == (folder,) and folder.config_file.exists()


def test_an_emptying_that_is_called_off_ends_between_two_runs(runs_path: Path) -> None:
    for name in ("ant", "bee", "cat"):
        delete_run(create_run(runs_path, RunConfig(), name=name))
    answers = iter((True, False))
    assert empty(runs_path, in_trash(runs_path), lambda: next(answers)).num_runs == 1
    assert len(in_trash(runs_path)) == 2 and half_purged(runs_path) == ()


KILLED = """
import os, sys
from pathlib import Path
from runs.trash import empty, in_trash
left, unlink = [3], os.unlink
def die_at_the_third(*arguments, **options):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), 9)
    unlink(*arguments, **options)
os.unlink = die_at_the_third
empty(Path(sys.argv[1]), in_trash(Path(sys.argv[1])))
"""


def test_a_purge_that_is_killed_leaves_nothing_that_comes_back_and_the_next_one_ends_it(
    runs_path: Path, deleted: Path
) -> None:
    before = bytes_under(deleted)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(runs_path)], env=child_environment(), timeout=60, check=False
    )
    assert done.returncode == -9
    (left,) = half_purged(runs_path)
    assert in_trash(runs_path) == () and 0 < bytes_under(left) < before
    for path in (left, deleted):
        with pytest.raises((ValueError, FileNotFoundError)):
            undelete_run(path)
    num_left = bytes_under(left)
    emptied = empty(runs_path, ())
    assert (emptied.num_runs, emptied.num_bytes, emptied.problems) == (0, num_left, ())
    assert list((runs_path / TRASH).iterdir()) == []


def test_what_cannot_be_deleted_is_named_and_the_others_go(runs_path: Path, deleted: Path) -> None:
    other = delete_run(create_run(runs_path, RunConfig(), name="bee"))
    deleted.chmod(0o500)
    emptied = empty(runs_path, in_trash(runs_path))
    deleted.chmod(0o700)
    assert emptied.num_runs == 1 and not other.exists() and (deleted / "config.toml").exists()
    (problem,) = emptied.problems
    assert problem.startswith(f"{deleted.name}: ") and "cannot be written" in problem


def test_the_deleted_run_of_another_user_is_neither_brought_back_nor_deleted_for_good(
    runs_path: Path, deleted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() == 0:
        os.chown(deleted, NOBODY, NOBODY)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    size = bytes_under(deleted)
    with pytest.raises(ValueError, match=r"belongs to .*; it can only be looked at"):
        undelete_run(deleted)
    emptied = empty(runs_path, in_trash(runs_path))
    assert emptied.num_runs == 0 and "it can only be looked at" in emptied.problems[0]
    assert bytes_under(deleted) == size
