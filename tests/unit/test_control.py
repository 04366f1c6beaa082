"""Requests: written whole, read in order, answered once."""

from __future__ import annotations

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
