"""What the trash takes of the disk is counted a little at a time, each run once, and follows what is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from presets.schema import RunConfig
from runs import trash_use
from runs.disk import bytes_under
from runs.folder import create_run
from runs.trash import TRASH, delete_run, empty, in_trash, undelete_run
from runs.trash_use import TrashMeter, TrashUse


def test_each_run_is_counted_once_and_the_sum_follows(runs_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[Path] = []
    monkeypatch.setattr(trash_use, "bytes_under", lambda path: (counted.append(path), bytes_under(path))[1])
    meter = TrashMeter(runs_path)
    assert meter.poll(0.0) == TrashUse(0, 0, is_counted=True)
    paths = [delete_run(create_run(runs_path, RunConfig(), name=name)) for name in ("ant", "bee", "cat")]
    first = meter.poll(-1.0)
    assert first.num_runs == 3 and not first.is_counted and len(counted) == 1 and first.num_bytes > 1000
    meter.poll(-1.0)
    whole = meter.poll(-1.0)
    assert whole == TrashUse(3, sum(map(bytes_under, paths)), is_counted=True)
    undelete_run(paths[1])
    sizes = [bytes_under(paths[0]), bytes_under(paths[2])]
    assert meter.poll(1.0) == TrashUse(2, sum(sizes), is_counted=True) and len(counted) == 3
    paths[0].rename(paths[0].with_name(".purged-half"))
    assert meter.poll(1.0) == TrashUse(
        1, sum(sizes), is_counted=True
    )  # it cannot come back, and has its room still
    empty(runs_path, in_trash(runs_path))
    assert meter.poll(1.0) == TrashUse(0, 0, is_counted=True)


def test_a_trash_at_rest_is_not_listed_again(runs_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    delete_run(create_run(runs_path, RunConfig(), name="ant"))
    monkeypatch.setattr(trash_use, "_SETTLED_NS", -(10**18))  # what has just changed counts as settled
    meter = TrashMeter(runs_path)
    before = meter.poll(1.0)

    def fail(runs: Path) -> None:
        raise AssertionError("it was listed, and nothing had changed")

    monkeypatch.setattr(trash_use, "in_trash", fail)
    assert meter.poll(1.0) is before and before.num_runs == 1
    assert (runs_path / TRASH).is_dir()
