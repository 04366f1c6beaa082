"""A run of another user is looked at, and nothing of it is changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from runs import control, launch, queue, trash
from runs.folder import About, RunFolder
from runs.launch import child_environment
from runs.ownership import ReadOnlyRun, why_read_only
from runs.reader import RunReader
from runs.safe_files import write_atomically
from runs.summary import RunIndex
from runs.verdict_file import current_verdict
from tests.run_writer import Supervision, finished_run, new_run
from tui.cli import main
from tui.doctor import _rights

NOBODY = 65_534
ACTS: dict[str, Callable[[RunFolder], object]] = {
    "start": launch.start,
    "resume": lambda folder: launch.start(folder, "last"),
    "stop": launch.stop,
    "pause": launch.pause,
    "kill": launch.kill,
    "ask": lambda folder: launch.ask(folder, "evaluate"),
    "request": lambda folder: control.ask(folder, "stop"),
    "delete": trash.delete_run,
    "edit": lambda folder: folder.write_about(About("mine now")),
    "enqueue": queue.enqueue,
    "move": lambda folder: queue.move(folder, "first"),
}


def _everything(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in folder.rglob("*")}


@pytest.fixture
def of_another(runs_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run of another user: given away where that is possible, else we say that we are somebody else."""
    folder = finished_run(runs_path)
    if os.geteuid() == 0:
        for path in (folder.path, *folder.path.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    return folder


def test_a_run_of_ones_own_is_not_read_only(runs_path: Path) -> None:
    folder = finished_run(runs_path)
    assert why_read_only(folder) == ""
    assert why_read_only(RunFolder(runs_path / "gone")) == ""


@pytest.mark.parametrize("name", ACTS)
def test_nothing_can_be_done_to_a_run_of_another_user(of_another: RunFolder, name: str) -> None:
    before = _everything(of_another.path.parent)
    with pytest.raises(ReadOnlyRun, match=r"belongs to .*; it can only be looked at"):
        ACTS[name](of_another)
    assert _everything(of_another.path.parent) == before


def test_not_even_what_is_kept_for_speed_is_written_into_it(of_another: RunFolder) -> None:
    before = _everything(of_another.path)
    assert current_verdict(of_another).step == 400
    reader = RunReader(of_another)
    while reader.poll().is_behind:
        continue
    with pytest.raises(PermissionError, match="another user"):
        write_atomically(of_another.cache_dir / "x", b"x")
    assert _everything(of_another.path) == before


@pytest.mark.parametrize("verb", ["stop", "kill", "pause", "resume", "join", "ask", "set"])
def test_every_verb_says_why_it_refuses(
    of_another: RunFolder, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    more = {"ask": ["evaluate"], "set": ["lr=x0.5"]}.get(verb, [])
    assert main([verb, of_another.id, *more]) == 2
    assert "it can only be looked at" in capsys.readouterr().err


def test_a_live_run_of_another_user_is_shown_as_live(runs_path: Path) -> None:
    folder = new_run(runs_path)
    supervision = Supervision(folder)
    supervision.state("running")
    if os.geteuid() == 0:
        os.chown(folder.path, NOBODY, NOBODY)
        assert why_read_only(folder)
    assert RunIndex(runs_path).poll()[0].status.is_live
    supervision.close()


def test_a_folder_without_the_right_to_write_is_read_only(runs_path: Path) -> None:
    folder = finished_run(runs_path)
    folder.path.chmod(0o500)
    try:
        assert "cannot be written" in why_read_only(folder)
        with pytest.raises(ReadOnlyRun):
            launch.start(folder)
    finally:
        folder.path.chmod(0o700)


def test_the_doctor_warns_of_a_runs_folder_that_others_may_use(runs_path: Path) -> None:
    assert list(_rights(runs_path)) == []
    runs_path.chmod(0o755)
    (finding,) = _rights(runs_path)
    assert (finding.state, finding.hint) == ("warning", f"chmod 700 {runs_path}")
    assert "look into" in finding.text
    runs_path.chmod(0o777)
    assert "change" in next(_rights(runs_path)).text
    runs_path.chmod(0o700)


LOOK = """
import json, os, sys
from pathlib import Path
from runs.ownership import why_read_only
from runs.reader import RunReader
from runs.summary import RunIndex
from runs.console import tail_console
if os.geteuid() == 0:  # after the imports, since Python itself may lie where others cannot read
    os.setgroups([]), os.setgid(65534), os.setuid(65534)
(row,) = RunIndex(Path(sys.argv[1])).poll()
reader = RunReader(row.folder)
run = reader.poll()
while run.is_behind:
    run = reader.poll()
said = tail_console(row.folder.attempts()[0], 3)
print(json.dumps([row.name, row.status.state, run.step, run.best_loss, len(run.series["loss"].value), list(said),
                  bool(why_read_only(row.folder))]))
"""


def test_the_right_to_read_is_enough_to_look_at_a_run(runs_path: Path) -> None:
    folder = finished_run(runs_path)
    for path in (folder.path, *folder.path.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    closed = [parent for parent in folder.path.parents if not parent.stat().st_mode & 0o005]
    modes = {parent: parent.stat().st_mode for parent in closed}
    for parent in closed:
        parent.chmod(0o755)
    try:
        done = subprocess.run(
            [sys.executable, "-c", LOOK, str(runs_path)],
            env=child_environment(), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        name, state, step, best, count, said, is_read_only = json.loads(done.stdout or done.stderr)
    finally:
        for parent, mode in modes.items():
            parent.chmod(mode)
        for path in (folder.path, *folder.path.rglob("*")):
            path.chmod(0o700 if path.is_dir() else 0o600)
    assert (name, state, step, is_read_only) == ("warm-otter", "finished", 400, True)
    assert best is not None and count == 40 and len(said) == 3
