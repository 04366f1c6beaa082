"""Verbs that start runs, and `doctor`, where a logout would end the run."""

from __future__ import annotations

from pathlib import Path

import fake_engine
import pytest

from runs.folder import all_runs
from runs.lock import is_locked
from runs.logout import LogoutRisk
from runs.status import read_status
from tests.conftest import wait_until
from tui import doctor
from tui.cli import main

SENTENCE = "when you log out, systemd ends the run"
ADVICE = "loginctl enable-linger"


@pytest.fixture
def would_end(tmp_path: Path, runs_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which a logout would end runs, and on which one may be started all the same."""
    risk = LogoutRisk(SENTENCE, ADVICE, blocks=True)
    for place in ("runs.logout", "tui.cli_logout", "tui.doctor"):
        monkeypatch.setattr(f"{place}.logout_risk", lambda: risk)
    monkeypatch.setenv("PYTHONPATH", str(fake_engine.install(tmp_path / "fake")))
    monkeypatch.setenv("FAKE_STEPS", "3")


def test_train_starts_nothing_that_a_logout_would_end_without_a_word(
    would_end: None, runs_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "quickstart", "--detach"]) == 2
    said = capsys.readouterr().err
    assert SENTENCE in said and ADVICE in said and "--despite-logout" in said
    assert not all_runs(runs_path)


def test_with_a_word_it_is_started_and_said(
    would_end: None, runs_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "quickstart", "--detach", "--despite-logout"]) == 0
    assert SENTENCE in capsys.readouterr().err
    (folder,) = all_runs(runs_path)
    wait_until(lambda: not is_locked(folder) and read_status(folder).state == "finished")
    assert main(["resume", "last", "--detach"]) == 2


def test_at_a_desktop_it_is_only_said(
    would_end: None, runs_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    risk = LogoutRisk(SENTENCE, ADVICE, blocks=False)
    for place in ("runs.logout", "tui.cli_logout"):
        monkeypatch.setattr(f"{place}.logout_risk", lambda: risk)
    assert main(["train", "quickstart"]) == 0
    assert SENTENCE in capsys.readouterr().err


def test_doctor_says_whether_runs_outlive_a_logout(would_end: None, monkeypatch: pytest.MonkeyPatch) -> None:
    finding = doctor._logout()
    assert (finding.state, finding.text, finding.hint) == ("warning", SENTENCE, ADVICE)
    monkeypatch.setattr("tui.doctor.logout_risk", lambda: None)
    assert doctor._logout().state == "good"
