"""The verbs that say what happened, what was printed, which keys there are, and that try the notifications."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runs.notify_settings import WEBHOOK_VARIABLE, settings_path
from tests.fakes.webhook import listening
from tests.run_writer import finished_run
from tui.cli import main


def test_events_are_sentences_and_records(runs_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finished_run(runs_path, "warm-otter", steps=200)
    assert main(["events", "last"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "finished at step 200" in lines[-1] and "  step     200  " in lines[-1]
    assert main(["events", "last", "--json"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(records) == len(lines)
    assert records[-1]["kind"] == "attempt_ended" and records[-1]["state"] == "finished"


def test_the_log_is_what_was_printed_and_nothing_in_it_acts_on_the_terminal(
    runs_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = finished_run(runs_path, "warm-otter", steps=20)
    folder.attempt(1).console_file.write_text("one\ntwo\x1b[2J\nthree\n")
    assert main(["log", "last", "--lines", "2"]) == 0
    assert capsys.readouterr().out.splitlines() == ["two␛[2J", "three"]
    assert main(["log", "last", "--json"]) == 0
    document = capsys.readouterr().out
    assert "\x1b" not in document
    assert json.loads(document) == {"run": folder.id, "attempt": 1, "lines": ["one", "two\x1b[2J", "three"]}
    assert main(["log", "last", "--lines", "0"]) == 2


def test_keys_are_listed_with_what_the_person_changed_and_what_cannot_hold(
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings_path().parent.mkdir(parents=True)
    settings_path().write_text('[keys]\nkil = "a"\n[keys.monitor]\nkill = "ctrl+k"\n')
    assert main(["keys", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    keys = {(one["screen"], one["command"]): one["key"] for one in document["keys"]}
    assert keys["monitor", "kill"] == "ctrl+k" and keys["runs", "kill"] == "X" and keys["app", "quit"] == "q"
    assert document["problems"] == ["keys.kil: there is no command kil"]
    settings_path().unlink()
    assert main(["keys"]) == 0
    assert "[keys.monitor]" in capsys.readouterr().out


def test_a_test_of_the_notifications_says_what_came_of_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["notify", "test"]) == 0
    assert "webhook: not set" in capsys.readouterr().out
    with listening() as hook:
        monkeypatch.setenv(WEBHOOK_VARIABLE, hook.address)
        assert main(["notify", "test"]) == 0
        assert capsys.readouterr().out.splitlines()[-1] == "webhook: sent"
        assert hook.bodies[0]["event"] == "test"
        hook.answers = [404]
        assert main(["notify", "test", "--json"]) == 1
        document = json.loads(capsys.readouterr().out)
    assert document["webhook"] == "it answered 404 Not Found" and "s3cret" not in json.dumps(document)
