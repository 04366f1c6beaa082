"""Whom the others wait for: told from the marks of the ranks, and asked for its stacks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from presets.schema import RunConfig
from runs.error_report import ErrorReport
from runs.folder import Attempt, RunFolder, create_run
from runs.hang_watch import STANDING_S, HangWatch, named_ranks, standing_sentence, who_stands
from runs.lock import held_lock
from runs.processes import TAG_VARIABLE, ProcessIdentity, identify, this_process
from runs.rank_marks import Mark, RankMark, RankProcess, mark_file, process_file
from runs.status import StateRecord, read_status, tag_prefix
from tests.conftest import wait_until

NOW = 1_760_000_000.0


@pytest.fixture
def folder(runs_path: Path) -> RunFolder:
    return create_run(runs_path, RunConfig())


@pytest.fixture
def attempt(folder: RunFolder) -> Attempt:
    attempt = folder.attempt(1)
    attempt.ranks_dir.mkdir(parents=True)
    return attempt


def ranks(*marks: tuple[int, bool], num_ranks: int = 0, times: tuple[float, ...] = ()) -> tuple[RankMark, ...]:
    """A mark for each rank: collectives that it entered, and whether it waits in the last of them."""
    return tuple(
        RankMark(
            rank,
            Mark(120, "in training", collectives, waits, times[rank] if times else NOW),
            RankProcess(ProcessIdentity("box", "boot", 1000 + rank, 5), rank, num_ranks or len(marks)),
        )
        for rank, (collectives, waits) in enumerate(marks)
    )


@pytest.mark.parametrize(
    ("marks", "blamed"),
    [
        (ranks((7, True), (7, True), (6, False)), (2,)),  # computes, while the others wait for it
        (ranks((7, True), (7, False), (7, True)), (1,)),  # left the last one, and does not come to the next
        (ranks((7, True), (6, True), (7, True)), (1,)),  # stands in an earlier one that the others have left
        (ranks((7, True), (6, False), (6, False)), (1, 2)),
        (ranks((7, True), (7, True), num_ranks=3), (2,)),  # never came up
        (ranks((3, False)), (0,)),  # alone
        (ranks((7, True), (7, True), times=(NOW, NOW + 0.1)), ()),  # the network, or a device
        (ranks((7, True), (7, True), times=(NOW, NOW + 300.0)), (1,)),  # came when the others had given up
        (ranks((7, False), (7, False)), (0, 1)),  # all compute, and none comes to an end
    ],
)
def test_the_rank_that_the_others_wait_for_is_found(marks: tuple[RankMark, ...], blamed: tuple[int, ...]) -> None:
    standing = who_stands(marks)
    assert standing is not None and standing.ranks == blamed


def test_sentences_say_who_stands_where_and_who_waits() -> None:
    def said(*marks: tuple[int, bool], **options: int) -> str:
        standing = who_stands(ranks(*marks, **options))
        assert standing is not None
        return standing.sentence

    clock = time.strftime("%H:%M:%S", time.localtime(NOW))
    where = f"since step 120 (in training, {clock})"
    assert said((7, True), (6, False)) == f"rank 1 has not moved {where}; the others wait for it"
    assert (
        said((7, True), (6, False), (6, False))
        == f"ranks 1 and 2 have not moved {where}; the others wait for them"
    )
    assert said((7, True), num_ranks=2) == f"rank 1 has not come up; the others wait for it {where}"
    assert said((3, False)) == f"it has not moved {where}"
    assert said((3, True), (3, True)).startswith(f"all ranks wait for one another {where}: the network")
    assert named_ranks(range(9)) == "ranks 0, 1, 2, 3 and 5 more"


def write_mark(attempt: Attempt, rank: int, identity: ProcessIdentity, mark: Mark, num_ranks: int = 2) -> None:
    process = RankProcess(identity, rank, num_ranks, limit_s=4.0)
    process_file(attempt, rank).write_bytes(msgspec.json.encode(process))
    mark_file(attempt, rank).write_bytes(msgspec.json.encode(mark))


def test_nobody_is_blamed_while_any_rank_moves_or_where_marks_are_damaged(attempt: Attempt) -> None:
    me = this_process()
    assert standing_sentence(attempt, NOW) == ""
    write_mark(attempt, 0, me, Mark(5, "in training", 9, True, NOW))
    write_mark(attempt, 1, me, Mark(5, "in training", 8, False, NOW - 100))
    assert standing_sentence(attempt, NOW + STANDING_S - 1) == ""
    assert standing_sentence(attempt, NOW + STANDING_S + 1).startswith("rank 1 has not moved since step 5")
    mark_file(attempt, 1).write_bytes(b'{"step":')
    (attempt.ranks_dir / "progress-1000000000000").write_bytes(b"{}")
    absurd = b'{"step":5,"phase":"x","collectives":0,"waits":false,"time":-1e300}'
    (attempt.ranks_dir / "progress-7").write_bytes(absurd)
    process = msgspec.to_builtins(RankProcess(me, 0, 2)) | {"num_ranks": 10**18}
    process_file(attempt, 7).write_bytes(msgspec.json.encode(process))
    assert standing_sentence(attempt, NOW + 60).startswith("rank 1 has not come up")


def test_a_run_whose_ranks_move_is_not_stalled_however_seldom_it_records(
    folder: RunFolder, attempt: Attempt
) -> None:
    state = StateRecord("running", 1, f"{tag_prefix(folder)}nobody", this_process(), since=100.0)
    folder.state_file.write_bytes(msgspec.json.encode(state))
    then = time.time() - 3600
    os.utime(attempt.path, (then, then))
    with held_lock(folder):
        assert read_status(folder).reason.startswith("its processes are alive, but nothing was recorded")
        write_mark(attempt, 0, this_process(), Mark(5, "in training", 9, True, then))
        write_mark(attempt, 1, this_process(), Mark(5, "in evaluation", 8, False, then))
        os.utime(attempt.path, (then, then))
        assert read_status(folder).state == "running"
        for rank in (0, 1):
            os.utime(mark_file(attempt, rank), (then, then))
        status = read_status(folder)
    assert status.state == "stalled" and status.since == pytest.approx(then)
    assert status.reason.startswith("rank 1 has not moved since step 5 (in evaluation")


Rank = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start_rank() -> Iterator[Rank]:
    """Starts processes that say when they are asked for their stacks."""
    started: list[subprocess.Popen[str]] = []

    def start(tag: str) -> subprocess.Popen[str]:
        code = "import signal, time\nsignal.signal(signal.SIGUSR2, lambda *_: print('asked', flush=True))\n"
        code += "print('up', flush=True)\nwhile True: time.sleep(0.01)"
        environment = {**os.environ, TAG_VARIABLE: tag}
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment
        )
        started.append(process)
        assert process.stdout is not None and process.stdout.readline() == "up\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def test_only_the_standing_rank_of_this_run_is_asked_for_its_stacks_and_ended_when_it_was_given_up(
    attempt: Attempt, start_rank: Rank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runs.hang_watch._LOOK_S", 0.0)
    waiting, standing, stranger = start_rank("ours.1"), start_rank("ours.1"), start_rank("others.1")
    identities = [identify(process.pid) for process in (waiting, standing, stranger)]
    watch = HangWatch(attempt, "ours.1")
    then = time.time() - 60
    for rank, identity in enumerate(identities):
        assert identity is not None
        mark = Mark(5, "in training", 9 if rank == 0 else 8, rank == 0, then if rank else time.time())
        write_mark(attempt, rank, identity, mark, num_ranks=3)
    assert watch.look() == "", "rank 0 has only just come there"
    mark_file(attempt, 0).write_bytes(msgspec.json.encode(Mark(5, "in training", 9, True, then)))
    assert watch.look().endswith("it was asked for its stacks")
    assert standing.stdout is not None and standing.stdout.readline() == "asked\n"
    assert watch.look() == "", "once is enough"
    words = "[gloo] Timed out waiting 4000ms for recv operation to complete"
    report = ErrorReport(0, "RuntimeError", words, "…", time.time(), 1)
    (attempt.ranks_dir / "error-0.json").write_bytes(msgspec.json.encode(report))
    assert watch.look().startswith("the others gave up waiting, so it was ended: ranks 1 and 2 have not moved")
    assert wait_until(lambda: standing.poll(), 10) == -signal.SIGKILL
    assert waiting.poll() is None and stranger.poll() is None, "one waits, and one only claims to be of this run"
    stranger.kill()
    assert stranger.communicate()[0] == "", "nor was the stranger asked for anything"


def test_a_run_without_a_supervisor_whose_ranks_stand_still_is_stalled_too(
    folder: RunFolder, attempt: Attempt, start_rank: Rank
) -> None:
    tag = f"{tag_prefix(folder)}1.x"
    rank = identify(start_rank(tag).pid)
    assert rank is not None
    gone = msgspec.structs.replace(this_process(), start_ticks=1)
    folder.state_file.write_bytes(msgspec.json.encode(StateRecord("running", 1, tag, gone)))
    write_mark(attempt, 0, rank, Mark(5, "in training", 0, False, time.time()), num_ranks=1)
    assert read_status(folder).state == "running"
    write_mark(attempt, 0, rank, Mark(5, "in training", 0, False, time.time() - 60), num_ranks=1)
    status = read_status(folder)
    assert (status.state, status.is_live, status.supervised) == ("stalled", True, False)
    assert "the engine still runs; it has not moved since step 5" in status.reason
