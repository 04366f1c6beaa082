"""Kills writers at random moments and counts the acknowledged records that are gone.

`python kill_harness.py <folder> <module:writer> <kills> <seed>` prints one JSON report. Each writer is forked
from this warmed process; it acknowledges through shared memory, after its write has returned.
"""

from __future__ import annotations

import importlib
import json
import mmap
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from runs.records import RecordTail

_LONGEST_S = 0.02
_FIRST_WRITE_S = 30.0

Write = Callable[[dict[str, object]], bool]


class Report(msgspec.Struct):
    """What is left after the kills.

    lost: acknowledged and not readable. damaged: whole lines that are no records. unfinished: files that end
    within a record; the kernel may cut a write short where it crosses a page, and then it is not acknowledged.
    """

    kills: int = 0
    acknowledged: int = 0
    lost: int = 0
    losing_kills: int = 0
    damaged: int = 0
    unfinished: int = 0
    unreadable: int = 0


def missing(path: Path, acknowledged: int) -> int:
    """How many of the records 1 to `acknowledged` cannot be read from the file."""
    read = {record["step"] for record in RecordTail(path).poll_all()}
    return len(set(range(1, acknowledged + 1)) - read)


def inspect(report: Report, path: Path, acknowledged: int) -> None:
    """Open what a killed writer left with every reader, and add the findings."""
    report.kills += 1
    report.acknowledged += acknowledged
    lost = missing(path, acknowledged)
    report.lost += lost
    report.losing_kills += lost > 0
    tail = RecordTail(path)
    tail.poll_all()
    report.damaged += tail.num_skipped
    content = path.read_bytes() if path.exists() else b""
    whole, _, rest = content.rpartition(b"\n")
    report.unfinished += bool(rest)
    try:
        for line in whole.splitlines():
            json.loads(line)
    except ValueError:
        report.unreadable += 1


def kill_forked(path: Path, open_writer: Callable[[Path], Write], delay_s: float) -> int:
    """Fork a writer, SIGKILL it that long after its first acknowledgement; returns how many it gave."""
    shared = mmap.mmap(-1, 8)
    counter = memoryview(shared).cast("Q")
    pid = os.fork()
    if pid == 0:
        write, step = open_writer(path), 0
        while True:
            step += 1
            if write({"step": step, "loss": 1 / step, "time": time.time()}):
                counter[0] = step
    deadline = time.monotonic() + _FIRST_WRITE_S
    while not counter[0] and time.monotonic() < deadline:
        time.sleep(0.0002)
    time.sleep(delay_s)
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, "the writer ended before the kill"
    acknowledged = int(counter[0])
    counter.release()
    shared.close()
    assert acknowledged, "the writer acknowledged nothing, so the kill showed nothing"
    return acknowledged


def main() -> None:
    """See the module's text."""
    folder, writer, kills, seed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    module, _, name = writer.partition(":")
    open_writer: Callable[[Path], Write] = getattr(importlib.import_module(module), name)
    rng, report = random.Random(seed), Report()
    for number in range(kills):
        path = folder / f"{number}.jsonl"
        inspect(report, path, kill_forked(path, open_writer, rng.uniform(0, _LONGEST_S)))
        path.unlink()
    print(msgspec.json.encode(report).decode())


if __name__ == "__main__":
    main()
