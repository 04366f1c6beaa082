"""Being told of a run's end: by the supervisor's webhook when nobody looks on, and by the open dashboard."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from presets.config import with_values
from presets.schema import RunConfig
from runs import launch
from runs.folder import RunFolder, create_run
from runs.lock import is_locked
from runs.notify_settings import WEBHOOK_VARIABLE
from runs.status import read_state, read_status
from tests import fake_engine
from tests.conftest import wait_until
from tests.e2e.tmux import Terminal
from tests.fakes.webhook import listening
from tests.run_writer import finished_run

ROOT = Path(__file__).resolve().parents[2]


def fake_run(tmp_path: Path, runs: Path, monkeypatch: pytest.MonkeyPatch, steps: int, name: str) -> RunFolder:
    monkeypatch.setenv("PYTHONPATH", str(fake_engine.install(tmp_path / f"fake-{name}")))
    monkeypatch.setenv("FAKE_STEPS", str(steps))
    return create_run(runs, with_values(RunConfig(), {"launch.device": "cpu"}), preset="test", name=name)


def test_the_webhook_is_told_without_a_dashboard_and_the_run_never_holds_its_address(
    tmp_path: Path, runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fake_run(tmp_path, runs_path, monkeypatch, steps=20, name="warm-otter")
    with listening() as hook:
        monkeypatch.setenv(WEBHOOK_VARIABLE, hook.address)
        launch.start(folder)
        wait_until(lambda: hook.bodies, what="the end is told")
        wait_until(lambda: not is_locked(folder), what="the supervisor ends")
    (body,) = hook.bodies
    assert (body["event"], body["run"], body["step"]) == ("finished", "warm-otter", 20)
    written = [path.read_bytes() for path in folder.path.rglob("*") if path.is_file()]
    assert written and not any(b"s3cret" in content for content in written)


def test_a_webhook_out_of_reach_harms_no_run_and_its_log_says_so(
    tmp_path: Path, runs_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fake_run(tmp_path, runs_path, monkeypatch, steps=20, name="calm-heron")
    with listening() as hook:
        hook.answers = [410]
        monkeypatch.setenv(WEBHOOK_VARIABLE, hook.address)
        launch.start(folder)
        console = folder.attempt(1).console_file
        wait_until(lambda: console.exists() and b"webhook" in console.read_bytes(), what="the log says so")
    assert console.read_text().splitlines()[-1] == (
        "the webhook could not be told how this run ended: it answered 410 Gone"
    )
    assert "s3cret" not in folder.supervisor_log.read_text()


def test_an_open_dashboard_says_that_a_run_on_no_screen_has_failed(
    tmp_path: Path, runs_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: Terminal
) -> None:
    folder = fake_run(tmp_path, runs_path, monkeypatch, steps=1_000_000, name="warm-otter")
    launch.start(folder)
    wait_until(lambda: read_status(folder).state == "running", what="it trains")
    terminal.open(f"PYTHONPATH={ROOT} {sys.executable} -m tui", tmp_path)
    terminal.see("warm-otter")
    terminal.type("1")
    terminal.see("Presets")
    state = read_state(folder)
    assert state is not None and state.agent is not None
    os.kill(state.agent.pid, signal.SIGKILL)
    terminal.see("warm-otter failed")
    terminal.type("q")
    terminal.see("ended with 0")


def test_the_dashboard_begins_where_it_was_left(
    tmp_path: Path, runs_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: Terminal
) -> None:
    finished_run(runs_path, "warm-otter", steps=40)
    finished_run(runs_path, "calm-heron", steps=40)
    command = f"PYTHONPATH={ROOT} {sys.executable} -m tui"
    terminal.open(command, tmp_path)
    terminal.see("Presets")
    terminal.type("3")
    terminal.see("calm-heron")
    terminal.type("q")
    terminal.see("ended with 0")
    terminal.close()
    terminal.open(command, tmp_path)
    terminal.see("calm-heron")
    terminal.type("C-p", "=open run warm")
    terminal.see("Open run warm-otter")
    terminal.type("Enter")
    terminal.see(r"finished +warm-otter +quickstart")
    terminal.type("q")
    terminal.see("ended with 0")
    terminal.close()
    terminal.open(command, tmp_path)
    terminal.see(r"finished +warm-otter +quickstart")
