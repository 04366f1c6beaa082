"""A supervisor that can write nothing: it can be told to end, and what is over holds no devices."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from presets.schema import RunConfig
from runs import attempt_watch, control
from runs.attempt_watch import Supervisor
from runs.devices import Devices
from runs.folder import RunFolder, create_run
from runs.launch import child_environment
from runs.lock import held_lock
from runs.outcome import Ending
from runs.ownership import ReadOnlyRun
from runs.reserve import Reserve
from runs.status import read_outcome, read_state, read_status
from runs.supervisor import new_attempt


@pytest.fixture
def folder(runs_path: Path) -> RunFolder:
    return create_run(runs_path, RunConfig())


@pytest.fixture
def watch(folder: RunFolder) -> Iterator[Supervisor]:
    """Of a run that trained, and now is over."""
    with held_lock(folder):
        supervisor = Supervisor(folder, folder.config(), new_attempt(folder), "", Devices(("gpu:0",)))
        supervisor._set_state("running")
        yield supervisor


class FullDisk:
    """Stands for `conclude` on a full disk; after some tries it is told to end, or somebody makes room."""

    def __init__(self, watch: Supervisor, how: str) -> None:
        self.watch, self.how, self.num_tries = watch, how, 0
        self.conclude = attempt_watch.conclude

    def __call__(self, *arguments: object) -> object:
        self.num_tries += 1
        assert self.num_tries < 5, "it goes on although it was told to end"
        if self.num_tries == 3:
            self.state = read_state(self.watch.folder)
            self.status = read_status(self.watch.folder)
            if self.how == "a signal":
                self.watch.must_stop = True
            elif self.how == "a kill":
                control.ask(self.watch.folder, "kill")
            else:
                return self.conclude(self.watch.folder, self.watch.attempt, Ending(0))
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("how", ["a signal", "a kill", "room"])
def test_an_outcome_without_room_frees_the_devices_and_does_not_outstay_its_welcome(
    watch: Supervisor, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(attempt_watch.time, "sleep", lambda seconds: None)
    disk = FullDisk(watch, how)
    monkeypatch.setattr(attempt_watch, "conclude", disk)
    assert Reserve(watch.attempt).take()
    outcome = watch._conclude()
    assert disk.num_tries == 3
    assert disk.state is not None and disk.state.devices == ()
    assert disk.status.state == "stopping"
    assert disk.status.reason.startswith("it is over, but how it ended cannot be written: [Errno 28]")
    assert (outcome is None, read_outcome(watch.attempt) is None) == (how != "room", how != "room")


def test_requests_that_cannot_be_written_or_removed_do_not_end_the_supervisor(
    watch: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*arguments: object) -> None:
        raise ReadOnlyRun("it belongs to another user")

    def refuse(*arguments: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    control.ask(watch.folder, "kill")
    for name, reply in (("ask", read_only), ("answer", refuse), ("clear", refuse)):
        monkeypatch.setattr(control, name, reply)
    watch.must_stop = True
    watch._heed_requests()
    assert watch.ladder.kill_asked and watch.ladder.is_stopping
    assert watch._conclude() is not None


_TOLD_AT_THE_WORST_MOMENT = """
import os, signal, sys
import runs.supervisor as module

real = signal.signal
def late(number, handler):
    if number == signal.SIGTERM and getattr(handler, "__name__", "") == "on_signal":
        os.kill(os.getpid(), signal.SIGTERM)
    return real(number, handler)
def run(self):
    print("told to stop:", self.must_stop)
    raise SystemExit(0)
signal.signal, module.Supervisor.run = late, run
module.main([sys.argv[1]])
"""


def test_a_signal_between_two_handlers_is_not_lost(folder: RunFolder) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _TOLD_AT_THE_WORST_MOMENT, os.fspath(folder.path)],
        env=child_environment(), capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "told to stop: True"
