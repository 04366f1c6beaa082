"""Kills training engines at random moments: which acknowledged records and checkpoints are gone?

`python engine_kill_harness.py <folder> <record_writers:name> <kills> <seed>` prints one JSON report. Each engine
is the real trainer on real text, forked from this warmed process; it acknowledges through shared memory, after
`write` has returned.
"""

from __future__ import annotations

import importlib
import mmap
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import torch
from kill_harness import Report

import engine.recorder
from engine.checkpoints import CheckpointStore
from runs.folder import RunFolder
from runs.reader import RunReader
from runs.records import RecordTail
from tests.tiny import new_run, tiny_config, train

_MOST_RECORDS = 30
_LONGEST_S = 0.005
_FIRST_WRITE_S = 60.0
_FILES = ("metrics.jsonl", "events.jsonl")


class EngineReport(Report):
    """checkpoints: runs that acknowledged one. lost_checkpoints: of these, the newest acknowledged one is gone."""

    checkpoints: int = 0
    lost_checkpoints: int = 0


def kill_engine(folder: RunFolder, open_writer: Any, num_records: int, delay_s: float) -> list[int]:
    """Train in a fork, SIGKILL it so long after so many records.

    Returns the acknowledged metrics, events, and the newest saved step.
    """
    shared = mmap.mmap(-1, 24)
    counters = memoryview(shared).cast("Q")
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

        class Acknowledging:
            """The writer under test, counting what it acknowledged."""

            def __init__(self, path: Path) -> None:
                self._write, self._file = open_writer(path), _FILES.index(path.name)

            def write(self, record: Any) -> bool:
                acknowledged: bool = self._write({**msgspec.to_builtins(record), "n": counters[self._file] + 1})
                counters[self._file] += acknowledged
                if acknowledged and type(record).__name__ == "CheckpointSaved":
                    counters[2] = record.step
                return acknowledged

            def sync(self) -> bool:
                """Nothing: a kill is no power cut."""
                return True

        engine.recorder.RecordWriter = Acknowledging  # type: ignore[assignment,misc]
        train(folder)
        os._exit(3)
    deadline = time.monotonic() + _FIRST_WRITE_S
    while counters[0] < num_records and time.monotonic() < deadline:
        time.sleep(0.0005)
    time.sleep(delay_s)
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, "the engine ended before the kill"
    acknowledged = list(counters)
    assert acknowledged[0], "the engine acknowledged nothing, so the kill showed nothing"
    counters.release()
    shared.close()
    return acknowledged


def inspect(report: EngineReport, folder: RunFolder, acknowledged: list[int]) -> None:
    """Open what is left with every reader."""
    report.kills += 1
    lost = 0
    for name, count in zip(_FILES, acknowledged, strict=False):
        tail = RecordTail(folder.attempt(1).path / name)
        lost += len(set(range(1, count + 1)) - {record["n"] for record in tail.poll_all()})
        report.damaged += tail.num_skipped
        report.acknowledged += count
    report.lost += lost
    report.losing_kills += lost > 0
    snapshot = RunReader(folder).poll()
    report.unreadable += snapshot.config is None
    if acknowledged[2]:
        report.checkpoints += 1
        loaded, _ = CheckpointStore(folder.checkpoints_dir).load("last")
        report.lost_checkpoints += loaded.state.step < acknowledged[2]


def main() -> None:
    """See the module's text."""
    path, writer, kills, seed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    module, _, name = writer.partition(":")
    open_writer = getattr(importlib.import_module(module), name)
    torch.set_num_threads(1)
    config = tiny_config(
        train__max_steps=10**6, train__log_every=1, train__eval_every=7, train__checkpoint_every=5, probes__every=3
    )
    path.mkdir(parents=True, exist_ok=True)
    warm = new_run(path, tiny_config(train__max_steps=3))  # past the one collection of garbage
    out = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    train(warm)
    os.dup2(out, 1)
    rng, report = random.Random(seed), EngineReport()
    for _ in range(kills):
        folder = new_run(path, config)
        moment = rng.randint(1, _MOST_RECORDS), rng.uniform(0, _LONGEST_S)
        inspect(report, folder, kill_engine(folder, open_writer, *moment))
    print(msgspec.json.encode(report).decode())


if __name__ == "__main__":
    main()
