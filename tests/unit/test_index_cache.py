"""The list of ended runs is kept in a file, believed only where a run has not changed, and never needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from runs import run_entry
from runs.index_cache import index_cache_file, load_index, save_index
from runs.summary import RunIndex
from runs.trash import delete_run, in_trash, undelete_run
from tests.run_writer import finished_run


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of three runs whose list was kept."""
    monkeypatch.setattr("runs.index_cache._WORTH_KEEPING", 1)
    for name in ("one", "two", "three"):
        finished_run(tmp_path / "runs", name, steps=100)
    index = RunIndex(tmp_path / "runs")
    index.complete()
    save_index(tmp_path / "runs", index)
    return tmp_path / "runs"


def test_kept_rows_are_the_same_and_nothing_is_read_for_them(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = RunIndex(kept).complete()

    def fail(self: object) -> None:
        raise AssertionError("a run was read that had not changed")

    monkeypatch.setattr(run_entry.RunEntry, "_read", fail)
    assert RunIndex(kept, load_index(kept)).poll() == fresh


def test_a_run_that_was_edited_or_deleted_since_is_seen(kept: Path) -> None:
    index = RunIndex(kept, load_index(kept))
    first, second, _ = index.poll()
    first.folder.change_about(name="other", pinned=True)
    trash = delete_run(second.folder)
    rows = RunIndex(kept, load_index(kept)).poll()
    assert rows[0].name == "other" and rows[0].pinned and len(rows) == 2
    assert [one.path for one in in_trash(kept)] == [trash]
    undelete_run(trash)
    assert len(RunIndex(kept, load_index(kept)).poll()) == 3 and in_trash(kept) == ()


@pytest.mark.parametrize("content", [b"", b"\xc1" * 100, b"\x93\x01\xa1x\x80", b"{}"])
def test_a_damaged_file_is_passed_over(kept: Path, content: bytes) -> None:
    index_cache_file(kept).write_bytes(content)
    assert load_index(kept) == {}
    assert len(RunIndex(kept, load_index(kept)).poll()) == 3


def test_the_rows_of_another_folder_are_not_taken(kept: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    kept.rename(moved)
    target = index_cache_file(moved)
    index_cache_file(kept).rename(target)
    assert load_index(moved) == {}


def test_an_unfinished_list_does_not_lose_what_another_has_kept(kept: Path) -> None:
    finished_run(kept, "four", steps=100)
    behind = RunIndex(kept)
    behind.poll()
    behind._entries[min(load_index(kept))].add_details()  # one that was kept; the fourth is not read yet
    save_index(kept, behind)
    assert len(load_index(kept)) == 3


def test_a_long_list_comes_in_pieces_and_each_is_newest_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runs.summary._LEAST_NEW", 5)
    for number in range(12):
        finished_run(tmp_path, f"run-{number}", steps=100)
    index = RunIndex(tmp_path)
    rows = index.poll(within_s=0.0)
    assert len(rows) == 5 and index.num_unread == 7
    for _ in range(2):
        rows = index.poll(within_s=0.0)
    assert [row.id for row in rows] == sorted((row.id for row in rows), reverse=True) and len(rows) == 12
