"""How the engine hears of an end: once, whatever comes twice; and what lies about in its inbox costs nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import engine.attempt
from engine.attempt import train_attempt
from engine.progress import ProgressMark
from engine.recorder import Recorder
from engine.stopping import StopSignal
from presets.config import with_values
from presets.schema import RunConfig
from runs import control
from runs.events import AttemptEnded, decode_event
from runs.folder import Attempt, RunFolder, create_run
from runs.records import RecordTail
from runs.status import Outcome, read_outcome


@pytest.fixture(autouse=True)
def own_handlers() -> Iterator[None]:
    """A StopSignal takes the signals of this process; they are given back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def folder(runs_path: Path) -> RunFolder:
    return create_run(runs_path, with_values(RunConfig(), {"launch.device": "cpu"}))


@pytest.fixture
def attempt(folder: RunFolder) -> Attempt:
    attempt = folder.attempt(1)
    attempt.path.mkdir()
    attempt.ranks_dir.mkdir()
    return attempt


def tell_to_end(*arguments: object) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("where", ["prepare", "require_valid"])
def test_a_signal_before_the_first_step_ends_in_an_outcome_whatever_comes_then(
    folder: RunFolder, attempt: Attempt, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Also one that comes before there is anything to write with, and a second while the outcome is written."""
    real_valid, real_outcome = engine.attempt.require_valid, Recorder.outcome

    def told_early(config: RunConfig) -> RunConfig:
        tell_to_end()
        return real_valid(config)

    def told_again(self: Recorder, outcome: Outcome) -> None:
        tell_to_end()
        real_outcome(self, outcome)

    monkeypatch.setattr(engine.attempt, where, told_early if where == "require_valid" else tell_to_end)
    monkeypatch.setattr(Recorder, "outcome", told_again)
    train_attempt(folder, attempt, 0, "", ProgressMark())
    outcome = read_outcome(attempt)
    assert outcome is not None
    assert (outcome.state, outcome.reason) == ("stopped", "stopped by SIGTERM, before the first step")
    (event,) = (decode_event(record) for record in RecordTail(attempt.events_file).poll_all())
    assert isinstance(event, AttemptEnded)


def test_a_step_does_not_look_through_what_is_no_request(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[RunFolder] = []

    def pending(folder: RunFolder) -> tuple[control.Request, ...]:
        looks.append(folder)
        return ()

    monkeypatch.setattr(control, "pending", pending)
    stop = StopSignal(folder, is_main=True)
    (folder.control_dir / ".0000.json.1.abcd.tmp").write_bytes(b"")
    assert not stop.poll() and not looks
    (folder.control_dir / "0001.json").write_bytes(b"")
    assert not stop.poll() and looks


def test_a_request_whose_file_stays_is_granted_once(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: RunFolder, request: control.Request) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(control, "answer", refuse)
    stop = StopSignal(folder, is_main=True)
    request = control.ask(folder, "lr", "x0.5")
    assert stop.requests() == (request,)
    stop.answer(request)
    assert stop.requests() == ()
