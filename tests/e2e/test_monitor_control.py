"""A run is watched and steered in a real terminal: its probes change, its log is searched, it answers."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from runs import launch
from runs.events import ControlAnswered, Probed, decode_event
from runs.folder import RunFolder
from runs.records import RecordTail
from runs.status import read_status
from tests.conftest import ROOT, wait_until
from tests.e2e.tmux import Terminal
from tests.tiny import new_run, tiny_config


def said(folder: RunFolder, kind: type) -> list[object]:
    records = [r for attempt in folder.attempts() for r in RecordTail(attempt.events_file).poll_all()]
    return [event for event in map(decode_event, records) if isinstance(event, kind)]


def test_a_person_changes_the_probes_reads_the_ranks_the_log_and_the_events(
    terminal: Terminal, runs_path: Path
) -> None:
    texts = ("the people of the [MASK] => states",)
    config = tiny_config(train__max_steps=1_000_000, train__log_every=50, train__eval_every=2000,
                         train__checkpoint_every=100_000, probes__every=200, probes__texts=texts)  # fmt: skip
    folder = new_run(runs_path, config)
    launch.start(folder)
    try:
        wait_until(lambda: said(folder, Probed), what="it trains")
        terminal.open(f"{sys.executable} -m tui", ROOT)
        terminal.see(r"people of the \[MASK\][\s\S]*→ states \d")

        # another sentence, judged, asked for, answered, and shown at once
        terminal.type("B")
        terminal.see(r"1 sentence; 1 rank is followed")
        terminal.type("Enter", "=we the people")
        terminal.see(r"✗ sentence 2 has no \[MASK\]")
        terminal.type("= of the [MASK] => zzqx", "C-s")
        terminal.see(r"2 sentences are probed from step [\d,]+ on, 1 new, before 1; .zzqx. is not in the voc")
        terminal.see(r"we the people of the \[MASK\]")
        answers = [event for event in said(folder, ControlAnswered) if isinstance(event, ControlAnswered)]
        assert [(event.verb, event.accepted) for event in answers] == [("probes", True)]

        # the learning rate, with the engine's answer
        terminal.type("-")
        terminal.see(r"Learning rate")
        terminal.type("Enter")
        terminal.see(r"learning rate [\d.e-]+ from step")

        # the log is searched
        terminal.type("l")
        terminal.see(r"/ Search")
        terminal.type("/", "=learning rate", "Enter")
        terminal.see(r"/learning rate \d of \d")
        terminal.type("Escape")
        terminal.see(r"f follows the end")
        terminal.type("f", "Escape")
        time.sleep(0.3)

        wait_until(lambda: read_status(folder).state == "running", what="it still trains")
        terminal.type("q")
        terminal.see(r"ended with 0")
    finally:
        launch.kill(folder)
        wait_until(lambda: not read_status(folder).is_live, what="it is over")
