"""Fills the disk under training engines at random moments: what is torn, lost or ended, and what goes on then?

`python disk_full.py <mount point> <elsewhere> <seed> <build>:<tries> ...` mounts a small disk of memory for itself
alone, so call it within `unshare`; it prints a line of JSON for each job. Builds: `ours`, and `gluing`, which is
broken on purpose: it ignores that a write was cut short. Each engine is the real trainer, forked from this warmed
process; it acknowledges through shared memory. `supervised` are whole runs of `ours` with their supervisors.
"""

from __future__ import annotations

import mmap
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch

import engine.disk_watch
import engine.recorder
import engine.saving
import engine.trainer
from engine.checkpoints import CheckpointError, CheckpointStore
from engine.console import guard_console
from engine.trainer import Trainer
from runs.events import DiskNoticed, decode_event
from runs.folder import RunFolder
from runs.records import RecordTail, RecordWriter
from runs.status import read_outcome
from tests.faults.full_disk import Filler, Report
from tests.faults.full_disk_runs import supervised
from tests.tiny import new_run, prepare_attempt, tiny_config, train

_DISK = "size=6m"
_STEPS = 60
_WHILE_FULL = 12
_PATIENCE_S = 60.0
_HALF_MADE = (".building", ".replaced", ".dropped", ".tmp")
_METRICS, _EVENTS, _MADE, _PAUSES = range(4)


class GluingWriter(RecordWriter):
    """A build that takes every write for a whole one."""

    def _append(self, line: bytes) -> bool:
        try:
            os.write(self._fd, line)
        except OSError:
            return False
        return True


def engine_process(folder: RunFolder, counters: memoryview, build: str, *, races: bool) -> None:
    """The body of the fork: train to the end, and leave the outcome. races: what is free is believed too late."""
    log = os.open(folder.path / "console.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    guard_console()
    base = GluingWriter if build == "gluing" else RecordWriter

    class Acknowledging(base):  # type: ignore[valid-type, misc]
        """The writer under test, counting what it acknowledged."""

        def __init__(self, path: Path) -> None:
            super().__init__(path)
            self._index = _EVENTS if path.name == "events.jsonl" else _METRICS

        def write(self, record: Any) -> bool:
            acknowledged: bool = super().write(record)
            if acknowledged:
                counters[self._index] = self._seq
            elif self._index == _METRICS:
                counters[_PAUSES] += 1
            return acknowledged

    after_step = Trainer._after_step

    def counted(self: Trainer) -> None:
        counters[_MADE] = self.state.step
        time.sleep(0.001)
        after_step(self)

    Trainer._after_step = counted  # type: ignore[method-assign]
    engine.recorder.RecordWriter = Acknowledging  # type: ignore[misc]
    engine.disk_watch._LOOK_INTERVAL_S = engine.saving._RETRY_S = engine.saving._ROOM_POLL_S = 0.02
    engine.recorder._OUTCOME_INTERVAL_S = 0.02
    if races:
        engine.saving.require_room = lambda *arguments: None
    prepared, world, recorder, stop = prepare_attempt(folder)
    trainer = Trainer(prepared, world, recorder, stop)
    stop.trainer = trainer
    recorder.outcome(trainer.train())
    os._exit(0)


def wait_for_step(pid: int, counters: memoryview, step: int) -> bool:
    """Wait until the engine has made a step; False when it ended, or did not come to it."""
    deadline = time.monotonic() + _PATIENCE_S
    while counters[_MADE] < step and time.monotonic() < deadline:
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return bool(counters[_MADE] >= step)
        time.sleep(0.001)
    return bool(counters[_MADE] >= step)


@dataclass
class Seen:
    """Of one engine. waited: all its steps were done while the disk was full. made: steps until there was room.

    said: that it was full, while it was.
    """

    code: int = 0
    counters: tuple[int, ...] = ()
    waited: bool = False
    said: bool = False
    made: int = 0
    paused: bool = False


def fill_under(folder: RunFolder, build: str, filler: Filler, rng: random.Random) -> Seen:
    """Train in a fork and fill the disk in the middle."""
    seen = Seen()
    shared = mmap.mmap(-1, 32)
    counters = memoryview(shared).cast("Q")
    races, to_the_end = rng.random() < 0.5, rng.random() < 0.3
    full_from = rng.randrange(2, _STEPS - _WHILE_FULL)
    pid = os.fork()
    if pid == 0:
        try:
            engine_process(folder, counters, build, races=races)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    if wait_for_step(pid, counters, full_from):
        time.sleep(rng.uniform(0, 0.003))
        filler.fill(rng.choice((0, 0, rng.randrange(0, 80_000))))
        wait_for_step(pid, counters, _STEPS if to_the_end else full_from + _WHILE_FULL)
        time.sleep(rng.uniform(0, 0.05))
        is_alive = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        seen.waited = counters[_MADE] == _STEPS and is_alive
        seen.paused = counters[_PAUSES] > 0
        seen.said = any(event.is_full for event in disk_events(folder))
    seen.made = int(counters[_MADE])
    filler.empty()
    deadline = time.monotonic() + _PATIENCE_S
    while (ended := os.waitpid(pid, os.WNOHANG))[0] == 0:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)
    seen.code, seen.counters = os.waitstatus_to_exitcode(ended[1]), tuple(counters)
    counters.release()
    shared.close()
    return seen


def disk_events(folder: RunFolder) -> list[DiskNoticed]:
    events = [decode_event(record) for record in RecordTail(folder.attempt(1).events_file).poll_all()]
    return [event for event in events if isinstance(event, DiskNoticed)]


def inspect(report: Report, folder: RunFolder, seen: Seen) -> None:
    """Look at what is left with the program's own readers."""
    report.tries += 1
    report.paused += seen.paused
    report.at_end += seen.waited
    problems: list[str] = []
    outcome = read_outcome(folder.attempt(1))
    if seen.code or outcome is None or (outcome.state, outcome.step) != ("finished", _STEPS):
        report.ended += 1
        printed = (folder.path / "console.log").read_text()[-300:]
        problems.append(f"exit code {seen.code}, {outcome.state if outcome else 'no outcome'}: {printed}")
    inspect_records(report, folder, seen, problems)
    noticed = disk_events(folder)
    report.in_a_save += any("checkpoint" in event.message for event in noticed if event.is_full)
    has_gone_on = seen.made < _STEPS  # otherwise it may have ended, with everything written, just before
    if (seen.paused and not seen.said) or (noticed and noticed[-1].is_full and has_gone_on):
        report.unsaid += 1
        problems.append(f"said while it was full: {seen.said}; events: {[event.is_full for event in noticed]}")
    left = [p.name for p in folder.path.rglob("*") if p.suffix in _HALF_MADE or p.name == "reserve"]
    if left:
        report.left += 1
        problems.append(f"left: {left}")
    try:
        report.unsaved += CheckpointStore(folder.checkpoints_dir).load("last")[0].state.step != _STEPS
    except CheckpointError as error:
        report.unsaved += 1
        problems.append(str(error))
    report.problems += problems[:1] if len(report.problems) < 5 else []


def inspect_records(report: Report, folder: RunFolder, seen: Seen, problems: list[str]) -> None:
    """Whether every record is there, whole and in its place."""
    attempt = folder.attempt(1)
    for path, index in ((attempt.metrics_file, _METRICS), (attempt.events_file, _EVENTS)):
        tail = RecordTail(path)
        records = tail.poll_all()
        numbers = [record["seq"] for record in records]
        if tail.num_skipped or path.read_bytes()[-1:] != b"\n":
            report.torn += 1
            problems.append(f"{path.name} is torn")
        if numbers != list(range(1, len(numbers) + 1)) or len(numbers) < seen.counters[index]:
            report.lost += 1
            problems.append(f"{path.name} has {len(numbers)} records, {seen.counters[index]} were acknowledged")
        if index == _METRICS and len({record["step"] for record in records if "loss" in record}) != _STEPS:
            report.lost += 1
            problems.append("there is not a record of every step")


def main() -> None:
    """See the module's text."""
    disk, elsewhere, seed = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    disk.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", _DISK, "tmpfs", str(disk)], check=True)
    torch.set_num_threads(1)
    config = tiny_config(
        train__max_steps=_STEPS,
        train__log_every=1,
        train__eval_every=7,
        train__checkpoint_every=5,
        probes__every=9,
    )
    out = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    train(new_run(elsewhere, tiny_config(train__max_steps=3)))
    os.dup2(out, 1)
    for job in sys.argv[4:]:
        build, tries = job.split(":")
        rng, report = random.Random(seed), Report()
        filler = Filler(disk / "filler")
        for number in range(int(tries)):
            if build == "supervised":
                processes = 2 if number >= 4 else 1
                supervised(report, disk / "supervised", filler, is_killed=number % 2 == 0, processes=processes)
                continue
            folder = new_run(disk, config)
            inspect(report, folder, fill_under(folder, build, filler, rng))
            shutil.rmtree(folder.path)
        print(msgspec.json.encode(report).decode(), flush=True)


if __name__ == "__main__":
    main()
