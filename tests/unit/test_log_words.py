"""Events that the engine prints as JSON are sentences in the log; all other lines stay as they were printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.recorder import Recorder
from runs.events import AttemptEnded, Candidate, CheckpointSaved, Event, Notice, Probed, ProbeResult, Progress
from tests.run_writer import new_run
from tui.log_words import readable
from tui.run_words import sentence_of

EVENTS: tuple[Event, ...] = (
    Notice(level="warning", message="an évènement"),
    CheckpointSaved(name="step-00000100", is_best=True, num_bytes=9_400_000, elapsed_s=0.1),
    AttemptEnded(state="finished", reason="all steps done"),
)


def printed(tmp_path: Path, capfd: pytest.CaptureFixture[str], *events: Event) -> list[str]:
    """What the engine itself prints of them, at step 7."""
    attempt = new_run(tmp_path).attempt(1)
    attempt.path.mkdir(parents=True)
    recorder = Recorder(attempt, is_main=True)
    for event in events:
        recorder.event(7, event)
    out, err = capfd.readouterr()
    return (out + err).splitlines()


def test_what_the_engine_prints_is_read_as_the_events_pane_says_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = printed(tmp_path, capfd, *EVENTS)
    assert len(lines) == len(EVENTS) and all('{"kind": ' in line for line in lines)
    for line, event in zip(lines, EVENTS, strict=True):
        assert readable(line) == f"{line[:8]} {sentence_of(event).replace('step 0', 'step 7')}"


def test_probings_and_progress_have_words_of_their_own(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    probed = Probed(probes=(ProbeResult("a [MASK]", ((Candidate("b", 0.5),),)),))
    known = Progress(phase="tokenising", done=1500, total=18_000, unit="rows")
    first, second, third = map(
        readable, printed(tmp_path, capfd, probed, known, Progress("counting", 20, 0, "rows"))
    )
    assert first.endswith(" step 7 probed")
    assert second.endswith(" tokenising: 1,500 of 18,000 rows") and third.endswith(" counting: 20 rows")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "step 10 loss 6.9",
        '12:00:00 step 3 {"kind": "notice", "level": "warn',
        '12:00:00 step 3 {"kind": "of a later version", "x": 1}',
        '12:00:00 step 3 {"kind": "notice", "level": 3, "message": []}',
        'rank 1: 12:00:00 step 3 {"kind": "probed"}',
        '12:00:00 step 3 {"kind": ' + '{"a":' * 5000 + "}" * 5000 + "}",
    ],
)
def test_every_other_line_stays_as_it_was_printed(line: str) -> None:
    assert readable(line) == ""


def test_codes_for_colours_are_left_out_and_no_other_codes() -> None:
    assert readable("\x1b[33mUserWarning:\x1b[0m\x1b[K mind it") == "UserWarning: mind it"
    assert readable("\x1b]0;a title\x07 and \x1b[2J") == "\x1b]0;a title\x07 and \x1b[2J", (
        "the widget shows them as signs"
    )
