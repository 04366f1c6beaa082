"""What the recorder writes of a long step: how far it is, how fast, and how long it still takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import recorder as module
from engine.recorder import Recorder
from runs.events import Progress, decode_event
from runs.folder import Attempt
from runs.records import RecordTail


def progress_of(attempt: Attempt) -> list[Progress]:
    events = [decode_event(record) for record in RecordTail(attempt.events_file).poll_all()]
    return [event for event in events if isinstance(event, Progress)]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of the recorder's steady clock, to be set."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_a_rate_and_an_end_are_told_once_there_is_something_to_tell(tmp_path: Path, clock: list[float]) -> None:
    attempt = Attempt(tmp_path)
    recorder = Recorder(attempt, is_main=True)
    for second, done in ((0, 100), (1, 150), (2, 200), (10, 600)):
        clock[0] = 100.0 + second
        recorder.progress("tokenising", done, 1000, "documents")
    events = progress_of(attempt)
    assert [(event.done, event.rate, event.eta_s) for event in events] == [
        (100, None, None), (150, 50.0, 17.0), (200, 50.0, 16.0), (600, 50.0, 8.0),
    ]  # fmt: skip


def test_without_a_total_there_is_a_rate_and_no_end(tmp_path: Path, clock: list[float]) -> None:
    attempt = Attempt(tmp_path)
    recorder = Recorder(attempt, is_main=True)
    recorder.progress("reading", 0, 0, "rows")
    clock[0] += 2
    recorder.progress("reading", 500, 0, "rows")
    assert [(event.rate, event.eta_s) for event in progress_of(attempt)] == [(None, None), (250.0, None)]


def test_a_new_phase_begins_its_own_rate_and_many_reports_are_thinned_out(
    tmp_path: Path, clock: list[float]
) -> None:
    attempt = Attempt(tmp_path)
    recorder = Recorder(attempt, is_main=True)
    for number in range(100):
        clock[0] += 0.01
        recorder.progress("first", number, 100, "rows")
    recorder.progress("second", 50, 100, "rows")
    events = progress_of(attempt)
    assert [event.phase for event in events] == ["first", "first", "second"]
    assert events[-1].rate is None
