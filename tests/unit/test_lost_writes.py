"""Records on a disk that fails for other reasons than room, or says only in a sync that it took nothing."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import engine.disk_watch
import engine.recorder
from engine.recorder import Recorder
from runs.events import DiskNoticed, Notice, decode_event
from runs.folder import Attempt
from runs.records import RecordTail, RecordWriter
from runs.status import Outcome, read_outcome

Call = Callable[..., object]


@contextmanager
def failing(name: str, number: int) -> Iterator[None]:
    """Let a system call fail, as across a network."""

    def fail(*arguments: object, **options: object) -> object:
        raise OSError(number, os.strerror(number))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, name, fail)
        yield


def steps_of(path: Path) -> list[int]:
    return [record["step"] for record in RecordTail(path).poll_all()]


def lose(path: Path, start: int) -> None:
    """What a server that took nothing leaves of the bytes from there on."""
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(start)
        file.write(bytes(size - start))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "m.jsonl"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.ETIMEDOUT])
@pytest.mark.parametrize("call", ["fsync", "pwrite"])
def test_what_a_network_lost_is_written_again(path: Path, call: str, number: int) -> None:
    writer = RecordWriter(path)
    assert writer.write({"step": 1}) and writer.sync()
    start = path.stat().st_size
    assert writer.write({"step": 2}) and writer.write({"step": 3})
    with failing(call, number):
        assert not (writer.sync() if call == "fsync" else writer.write({"step": 4}))
        writer.hold({"step": 5})
        assert bool(writer.problem) is (number not in (errno.ENOSPC, errno.EDQUOT))
    lose(path, start)
    assert steps_of(path) == [1]
    assert writer.write({"step": 6}) and writer.sync() and not writer.problem
    assert steps_of(path) == [1, 2, 3, *([4] if call == "pwrite" else []), 5, 6]
    assert RecordTail(path).poll_all()[-1]["seq"] == (6 if call == "pwrite" else 5)
    assert (writer.num_waiting, writer.num_dropped) == (0, 0)


def test_a_record_is_not_acknowledged_by_a_sync_that_fails(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runs.records._SYNC_INTERVAL_S", -1.0)
    writer = RecordWriter(path)
    with failing("fsync", errno.ENOSPC):
        assert not writer.write({"step": 1})
        assert not writer.flush() or not writer.sync()
    assert writer.flush() and writer.sync()
    assert steps_of(path) == [1]


def test_a_reader_sees_every_record_once_while_they_are_written_over_themselves(path: Path) -> None:
    writer, tail = RecordWriter(path), RecordTail(path)
    seen: list[int] = []
    for step in range(1, 30):
        writer.write({"step": step})
        if step % 7 == 0:
            with failing("fsync", errno.EIO):
                assert not writer.sync()
        seen += [record["step"] for record in tail.poll_all()]
    assert seen == list(range(1, 30)) and tail.num_skipped == 0


def test_what_was_written_once_is_never_given_up_for_newer_records(path: Path) -> None:
    writer = RecordWriter(path, most_waiting_bytes=500)
    for step in range(1, 21):
        assert writer.write({"step": step})
    with failing("pwrite", errno.EIO):
        for step in range(21, 101):
            assert not writer.write({"step": step})
    assert writer.flush()
    steps = steps_of(path)
    assert steps[:21] == list(range(1, 22)) and steps[-1] == 100
    assert writer.num_dropped == 100 - len(steps) > 0


def test_a_disk_that_knows_no_sync_is_no_trouble(path: Path) -> None:
    writer = RecordWriter(path)
    with failing("fsync", errno.EINVAL):
        assert writer.write({"step": 1}) and writer.sync()
    assert writer.num_waiting == 0


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    attempt = Attempt(tmp_path / "run" / "attempts" / "0001")
    attempt.path.mkdir(parents=True)
    return attempt


@pytest.mark.parametrize(
    ("call", "number", "words"),
    [
        ("fsync", errno.ENOSPC, "is full"), ("fsync", errno.EDQUOT, "is full"),
        ("fsync", errno.ESTALE, "takes no records (Stale file handle)"),
        ("pwrite", errno.EIO, "takes no records (Input/output error)"),
        ("pwrite", errno.ETIMEDOUT, "takes no records"),
    ],
)  # fmt: skip
def test_recording_pauses_says_why_and_goes_on(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch, call: str, number: int, words: str
) -> None:
    monkeypatch.setattr(engine.disk_watch, "_LOOK_INTERVAL_S", 0.0)
    recorder = Recorder(attempt, is_main=True)
    recorder.event(0, Notice(level="info", message="one"))
    recorder.metrics(1, 1, {"loss": 1.0})
    recorder.sync()
    is_metrics = recorder._metrics._fd  # type: ignore[attr-defined]
    real: Call = getattr(os, call)

    def fail(descriptor: int, *arguments: object) -> object:
        if descriptor == is_metrics:
            raise OSError(number, os.strerror(number))
        return real(descriptor, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(os, call, fail)
        for step in (2, 3, 4):
            recorder.metrics(step, step, {"loss": 1.0})
            recorder.sync()  # as before a checkpoint
        assert recorder.disk.is_paused("recording") and recorder.is_behind()
        said = [decode_event(record) for record in RecordTail(attempt.events_file).poll_all()]
        assert [type(event) for event in said] == [Notice, DiskNoticed], "once"
        assert isinstance(said[1], DiskNoticed) and said[1].is_full and words in said[1].message
    assert not recorder.is_behind() and not recorder.disk.is_paused("recording")
    assert steps_of(attempt.metrics_file) == [1, 2, 3, 4]
    last = decode_event(RecordTail(attempt.events_file).poll_all()[-1])
    assert isinstance(last, DiskNoticed) and not last.is_full


def test_an_outcome_that_a_hiccup_refuses_is_tried_again(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine.recorder, "_OUTCOME_INTERVAL_S", 0.0)
    real, times = engine.recorder.write_atomically, [0]

    def hiccups(path: Path, content: bytes) -> None:
        times[0] += 1
        if times[0] < 4:
            raise OSError(errno.EIO, "hiccup")
        real(path, content)

    monkeypatch.setattr(engine.recorder, "write_atomically", hiccups)
    recorder = Recorder(attempt, is_main=True)
    recorder.outcome(Outcome("finished", "all steps done", 1, 1))
    written = read_outcome(attempt)
    assert written is not None and written.state == "finished"
    times[0] = -1_000_000
    with pytest.raises(OSError, match="hiccup"):
        recorder.outcome(Outcome("finished", "all steps done", 1, 1))
