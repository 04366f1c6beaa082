"""A rank's own mark: readable at any moment, true after an error, and never in the way."""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec
import pytest

from engine.distributed import World
from engine.last_words import LastWords
from engine.progress import NO_MARK, ProgressMark
from presets.schema import RunConfig
from runs.error_report import ErrorReport
from runs.folder import Attempt, create_run
from runs.processes import this_process
from runs.rank_marks import MARK_BYTES, RankMark, mark_file, read_marks


@pytest.fixture
def attempt(runs_path: Path) -> Attempt:
    attempt = create_run(runs_path, RunConfig()).attempt(1)
    attempt.ranks_dir.mkdir(parents=True)
    return attempt


def only(attempt: Attempt) -> RankMark:
    (mark,) = read_marks(attempt)
    return mark


def test_a_mark_tells_step_phase_and_whether_the_rank_waits(attempt: Attempt) -> None:
    mark = ProgressMark(attempt, rank=3, num_ranks=4)
    mark.limit(600.0)
    mark.at("in training", 120)
    mark.enter()
    found = only(attempt)
    assert (found.rank, found.mark.step, found.mark.phase) == (3, 120, "in training")
    assert (found.mark.collectives, found.mark.waits) == (1, True)
    assert abs(found.mark.time - time.time()) < 5
    assert found.process is not None and found.process.identity == this_process()
    assert (found.process.num_ranks, found.process.limit_s) == (4, 600.0)
    mark.leave()
    mark.at("saving a checkpoint")
    found = only(attempt)
    assert (found.mark.step, found.mark.phase, found.mark.waits) == (120, "saving a checkpoint", False)
    assert mark_file(attempt, 3).stat().st_size == MARK_BYTES, "a shorter mark covers a longer one"
    assert mark_file(attempt, 3).stat().st_mode & 0o777 == 0o600


def test_a_rank_whose_collective_fails_goes_on_standing_there(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("Timed out waiting 600000ms for recv operation to complete")

    import torch

    monkeypatch.setattr("engine.distributed.dist.all_reduce", fail)
    monkeypatch.setattr("engine.distributed.dist.barrier", fail)
    monkeypatch.setattr("engine.distributed.dist.broadcast_object_list", fail)
    world = World(0, 2, torch.device("cpu"), ProgressMark(attempt, 0, 2))
    ways = (lambda: world.any(True), world.barrier, lambda: world.from_main(1), lambda: world.sum(torch.zeros(1)))
    for number, way in enumerate(ways, 1):
        with pytest.raises(RuntimeError, match="Timed out"):
            way()
        found = only(attempt).mark
        assert (found.collectives, found.waits) == (number, True)


def test_a_mark_that_cannot_be_written_or_that_nobody_reads_costs_nothing(attempt: Attempt) -> None:
    mark_file(attempt, 0).symlink_to(attempt.path / "elsewhere")
    mark = ProgressMark(attempt)
    mark.at("in training", 5)
    assert not (attempt.path / "elsewhere").exists() and mark.step == 5
    second = ProgressMark(attempt, 1)
    with Path("/dev/full").open("wb") as full:
        assert second._file is not None
        os.dup2(full.fileno(), second._file)
        second.at("in training", 6)  # no room: the mark stands still
    NO_MARK.at("in training", 7)
    assert [each.rank for each in read_marks(attempt)] == [1]


def test_a_mark_costs_microseconds(attempt: Attempt) -> None:
    """At 1 ms, the shortest step there is, 0.2 % would be 2 µs; noise on a busy machine is left room."""
    mark = ProgressMark(attempt)
    best = min(_seconds_for_1000(mark) for _ in range(20))
    assert best / 1000 < 20e-6


def _seconds_for_1000(mark: ProgressMark) -> float:
    started = time.perf_counter()
    for step in range(1000):
        mark.at("in training", step)
    return time.perf_counter() - started


def test_last_words_carry_the_cause(attempt: Attempt) -> None:
    try:
        raise MemoryError
    except MemoryError as error:
        LastWords(attempt, 2).say(error, step=7)
    report = msgspec.json.decode((attempt.ranks_dir / "error-2.json").read_bytes(), type=ErrorReport)
    assert (report.rank, report.step, report.exception, report.cause) == (2, 7, "MemoryError", "out of memory")
    assert "raise MemoryError" in report.traceback
