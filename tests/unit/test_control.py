"""Requests: written whole, read in order, answered once."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from presets.schema import RunConfig
from runs import control
from runs.folder import RunFolder, create_run


@pytest.fixture
def folder(runs_path: Path) -> RunFolder:
    return create_run(runs_path, RunConfig())


def test_requests_are_read_in_the_order_they_were_made(folder: RunFolder) -> None:
    asked = [control.ask(folder, verb) for verb in ("stop", "kill", "stop")]
    assert control.pending(folder) == tuple(asked)
    assert control.pending(folder, "kill") == (asked[1],)


def test_an_answered_request_is_gone_and_may_be_answered_again(folder: RunFolder) -> None:
    request = control.ask(folder, "stop")
    control.answer(folder, request)
    control.answer(folder, request)
    assert control.pending(folder) == ()


def test_a_request_survives_a_missing_inbox(folder: RunFolder) -> None:
    folder.control_dir.rmdir()
    assert control.pending(folder) == ()
    request = control.ask(folder, "stop")
    assert control.pending(folder) == (request,)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b'{"id":"2","verb":"dance","time":1}', b'{"id":"../x","verb":"stop","time":1}', b"[" * 9999],
)
def test_what_is_no_request_is_passed_over(folder: RunFolder, content: bytes) -> None:
    (folder.control_dir / "1.json").write_bytes(content)
    request = control.ask(folder, "stop")
    assert control.pending(folder) == (request,)


def test_old_requests_are_cleared(folder: RunFolder) -> None:
    control.ask(folder, "stop")
    control.ask(folder, "kill")
    control.clear(folder)
    assert list(folder.control_dir.iterdir()) == []


def test_everything_that_an_earlier_attempt_left_is_cleared(folder: RunFolder, tmp_path: Path) -> None:
    elsewhere = tmp_path / "9.json"
    elsewhere.write_text("x")
    (folder.control_dir / "1.json").write_bytes(b"{")
    (folder.control_dir / "2.json").symlink_to(elsewhere)
    half, old = (folder.control_dir / f".3.json.{pid}.abcd.tmp" for pid in (1, 2))
    half.write_bytes(b"{")
    old.write_bytes(b"{")
    os.utime(old, (time.time() - 3600,) * 2)
    control.clear(folder)
    assert list(folder.control_dir.iterdir()) == [half], "somebody may be about to ask"
    half.unlink()
    folder.control_dir.rmdir()
    folder.control_dir.symlink_to(tmp_path)
    control.clear(folder)
    assert elsewhere.exists()


def test_a_request_carries_its_value_in_one_spelling(folder: RunFolder) -> None:
    wanted: tuple[tuple[control.Verb, str, str], ...] = (
        ("lr", "3e-4", "0.0003"), ("lr", " ×0.5 ", "x0.5"), ("lr", "*2", "x2"), ("lr", "X.1", "x0.1"),
        ("lr", "0.0001234567", "0.0001234567"), ("lr", "x1234567.5", "x1234567.5"),
        ("steps", "5,000", "5000"), ("steps", "+1_000", "+1000"), ("steps", "-500", "-500"),
    )  # fmt: skip
    for verb, typed, written in wanted:
        assert control.ask(folder, verb, typed).value == written
    values = [request.value for request in control.pending(folder)]
    assert values == ["0.0003", "x0.5", "x2", "x0.1", "0.0001234567", "x1234567.5", "5000", "+1000", "-500"]


@pytest.mark.parametrize(
    ("verb", "value", "words"),
    [
        ("lr", "", "neither a rate such as 3e-4 nor a factor such as x0.5"),
        ("lr", "x", "neither a rate"), ("lr", "1e-3x", "neither a rate"), ("lr", "inf", "neither a rate"),
        ("lr", "1e999", "above the limit 1"), ("lr", "x1e999", "beyond every limit"),
        ("lr", "0", "not above 0"), ("lr", "x0", "not above 0"),
        ("lr", "2", "above the limit 1 .* for a factor write x2"),
        ("steps", "", "neither a number such as 5000"), ("steps", "1e3", "neither"), ("steps", "x2", "neither"),
        ("steps", "0", "to end the run, stop it"), ("steps", "9999999999", "above the limit 1,000,000,000"),
        ("pause", "now", "pause: takes no value"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_said_at_once_and_nothing_is_written(
    folder: RunFolder, verb: control.Verb, value: str, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        control.ask(folder, verb, value)
    assert control.pending(folder) == ()


def test_a_request_written_before_there_were_values_is_still_read(folder: RunFolder) -> None:
    (folder.control_dir / "1.json").write_bytes(b'{"id":"1","verb":"stop","time":1.5}')
    assert control.pending(folder) == (control.Request("1", "stop", 1.5),)
