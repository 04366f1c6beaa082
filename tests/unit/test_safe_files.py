"""Reading and writing in runs that may come from anybody."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from presets.schema import RunConfig
from runs import safe_files
from runs.checkpoint_names import called, pointed_at
from runs.folder import RunFolder, create_run
from runs.ownership import ReadOnlyRun, require_startable
from runs.records import RecordTail, last_records, seal
from runs.safe_files import (
    UnsafeFile,
    file_status,
    folder_names,
    make_folder,
    open_file,
    read_bytes,
    write_atomically,
)

SECRET = b"a key of somebody"


@pytest.fixture
def run(runs_path: Path) -> RunFolder:
    return create_run(runs_path, RunConfig())


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "note").write_bytes(SECRET)
    return folder


def _link(path: Path, outside: Path) -> None:
    path.symlink_to(outside / "note")


def _pipe(path: Path, outside: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path, outside: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def _folder(path: Path, outside: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("make", [_link, _pipe, _socket, _folder])
def test_what_is_no_plain_file_is_refused_at_once(
    run: RunFolder, outside: Path, make: Callable[[Path, Path], None]
) -> None:
    path = run.path / "note"
    make(path, outside)
    for act in (read_bytes, file_status, open_file):
        with pytest.raises(UnsafeFile, match=r"this is a|this is an?|links in a run"):
            act(path)
    assert not safe_files.is_file(path)
    assert "note" in safe_files.what_is_unsafe(run.path) or make is _folder


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_link_on_the_way_leads_nowhere_neither_for_reading_nor_for_writing(
    run: RunFolder, outside: Path, depth: int
) -> None:
    parts = ("a", "b", "c")
    inner = outside / "/".join(parts[depth:]) if depth else outside
    inner.mkdir(parents=True, exist_ok=True)
    (inner / "note").write_bytes(SECRET)
    above = run.path.joinpath(*parts[:depth])
    above.mkdir(parents=True, exist_ok=True)
    (above / "way").symlink_to(inner)
    path = above / "way" / "note"
    assert path.read_bytes() == SECRET  # the link is there, and works
    with pytest.raises(UnsafeFile, match="links in a run are not followed"):
        read_bytes(path)
    with pytest.raises(UnsafeFile):
        write_atomically(path, b"overwritten")
    with pytest.raises(UnsafeFile):
        make_folder(above / "way" / "new")
    assert folder_names(above / "way") == []
    assert (inner / "note").read_bytes() == SECRET
    assert sorted(entry.name for entry in inner.iterdir()) == ["note"]


def test_a_path_that_leads_up_is_refused(run: RunFolder, outside: Path) -> None:
    for path in (run.path / ".." / "x", run.path / "attempts" / ".." / ".." / "x", run.path / ".." / run.id / "x"):
        (run.path.parent / "x").write_bytes(SECRET)
        with pytest.raises(OSError, match=r"leads out of the run|No such file"):
            read_bytes(path)
        with pytest.raises(UnsafeFile, match="leads out of the run"):
            write_atomically(path, b"overwritten")


def test_a_link_in_the_place_of_the_run_itself_is_refused_and_one_above_it_is_not(
    run: RunFolder, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "link-to-runs"
    elsewhere.symlink_to(run.path.parent)
    assert RunFolder(elsewhere / run.id).config() == RunConfig()
    twin = run.path.with_name(run.id[:-4] + "zzzz")
    twin.symlink_to(run.path)
    with pytest.raises(UnsafeFile):
        RunFolder(twin).config_text()
    assert not RunFolder(twin).attempts()


def test_a_run_that_was_moved_and_replaced_is_still_read_right(run: RunFolder, outside: Path) -> None:
    read_bytes(run.config_file)  # its place is remembered now
    moved = run.path.parent / "moved"
    run.path.rename(moved)
    run.path.symlink_to(moved)
    with pytest.raises(UnsafeFile):
        read_bytes(run.config_file)


def test_no_more_is_read_than_asked_for(run: RunFolder) -> None:
    path = run.path / "sparse"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(UnsafeFile, match="more than 1,048,576 bytes"):
        read_bytes(path)


def test_a_terabyte_of_nothing_among_records_is_passed_in_a_moment(run: RunFolder) -> None:
    path = run.path / "records.jsonl"
    good = seal(b'{"step":1}')
    with path.open("wb") as file:
        file.write(good + b'{"torn')
        file.seek(1 << 40)
        file.write(b"end of it\n" + good + b"\0" * 100 + b"\n" + good)
        file.truncate(2 << 40)
    tail = RecordTail(path)
    assert len(tail.poll_all()) == 3 and tail.num_skipped == 2
    with path.open("ab") as file:
        file.write(b"\n" + good)
    assert len(tail.poll_all()) == 1
    assert last_records(path) == [{"step": 1}]


def test_a_line_without_end_is_dropped_and_the_next_one_counts(run: RunFolder) -> None:
    path = run.path / "records.jsonl"
    path.write_bytes(b'"' * (40 << 20) + b"\n" + seal(b'{"step":1}'))
    tail = RecordTail(path)
    assert (tail.poll_all(), tail.num_skipped) == ([{"step": 1}], 1)


@pytest.mark.parametrize("name", ["../outside", "/etc", "..", "", "step-1", "step-" + "9" * 19, "step-٠٠٠٠٠٠١٠"])
def test_what_a_pointer_says_is_a_checkpoints_name_or_nothing(run: RunFolder, name: str) -> None:
    (run.checkpoints_dir / "last").write_text(name, encoding="utf-8")
    assert pointed_at(run.checkpoints_dir, "last") == ""
    assert called(run.checkpoints_dir, name) == ""
    (run.checkpoints_dir / "last").write_text("step-00000010\n", encoding="utf-8")
    assert called(run.checkpoints_dir, "last") == called(run.checkpoints_dir, "10") == "step-00000010"


@pytest.mark.parametrize("make", [_link, _pipe])
def test_a_run_with_a_way_out_is_not_started(
    run: RunFolder, outside: Path, make: Callable[[Path, Path], None]
) -> None:
    require_startable(run)
    make(run.path / "cache" / "note", outside)
    with pytest.raises(ReadOnlyRun, match=r"cache/note in .* is a (link|pipe)"):
        require_startable(run)


def test_what_is_written_is_for_its_owner_alone_whatever_the_umask(run: RunFolder) -> None:
    before = os.umask(0)
    try:
        make_folder(run.cache_dir / "a" / "b")
        write_atomically(run.cache_dir / "a" / "b" / "file", b"x")
    finally:
        os.umask(before)
    for path in (run.cache_dir / "a", run.cache_dir / "a" / "b"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE((run.cache_dir / "a" / "b" / "file").stat().st_mode) == 0o600
    assert sorted(entry.name for entry in (run.cache_dir / "a" / "b").iterdir()) == ["file"]


def test_outside_of_runs_too_a_file_is_replaced_in_its_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/proc")  # nothing can be written here
    write_atomically(tmp_path / "file", b"old")
    write_atomically(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    with pytest.raises(OSError, match="folder"):
        (tmp_path / "folder").mkdir()
        write_atomically(tmp_path / "folder", b"x")
    assert sorted(entry.name for entry in tmp_path.iterdir() if entry.name.endswith("tmp")) == []


def test_a_write_that_fails_leaves_nothing_behind(run: RunFolder) -> None:
    (run.path / "about.json").unlink()
    (run.path / "about.json").mkdir()
    before = sorted(run.path.iterdir())
    with pytest.raises(OSError, match=r"about\.json"):
        write_atomically(run.about_file, b"x")
    assert sorted(run.path.iterdir()) == before
