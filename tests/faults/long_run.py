"""Runs with millions of points: writes them, and opens one as the dashboard does, in a process of its own.

`python -m tests.faults.long_run FOLDER [--naively]` prints an Opening as JSON. Naively: a reader that keeps
records as they come, which is what the columns are there to beat.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import msgspec
from textual.message_pump import MessagePump

from runs.folder import RunFolder
from runs.launch import child_environment
from runs.records import seal
from runs.series_cache import FILE_NAME
from tests.peak_memory import peak_bytes
from tests.run_writer import AttemptWriter, finished_run, new_run
from tui.chart_drawer import ChartWishes, PaneWish, PicturesDrawn
from tui.charts.palette import WITHOUT_COLOUR
from tui.feeds import FeedFailed, RunFeed, SnapshotArrived, Wanted

METRICS = 10
_PATIENCE_S = 120.0
_SIZES = {"loss": (76, 25), "lr": (25, 7), "grad_norm": (25, 7), "tokens_per_second": (25, 7)}


class Opening(msgspec.Struct):
    """From the start of the feed to the last of the four charts.

    cpu_s: of that, what the processor was at work. bytes_per_point: beyond what a short run takes.
    """

    seconds: float
    cpu_s: float
    num_points: int
    peak_bytes: int
    bytes_per_point: float


def write_long_run(runs: Path, num_records: int) -> RunFolder:
    """A run that ended, with that many records of ten metrics."""
    folder = new_run(runs, "long-run", max_steps=num_records)
    writer = AttemptWriter(folder, clock=1_760_000_000.0)
    writer.start(total_steps=num_records)
    chance = random.Random(0)
    encode = msgspec.json.Encoder().encode
    with writer.attempt.metrics_file.open("ab") as file:
        for step in range(1, num_records + 1):
            noise = chance.random()
            record = {
                "step": step, "time": 1_760_000_000 + step * 0.05, "elapsed_s": step * 0.05, "tokens": step * 4096,
                "loss": 5 + noise, "lr": 2e-3 * noise, "grad_norm": noise, "tokens_per_second": 8e4 + noise,
                "samples_per_second": 600 + noise, "step_time_s": 0.05 + noise / 1000, "data_time_s": noise / 1000,
                "memory_allocated_bytes": 512_000_000, "epoch": step / 560, "flops_per_second": 1e9 + noise,
                "seq": step,
            }  # fmt: skip
            file.write(seal(encode(record)))
    writer.step = num_records
    writer.end("finished", "all steps done")
    return folder


def opening(folder: RunFolder, naively: bool = False) -> Opening:
    """Open it in a fresh process."""
    argv = [sys.executable, "-m", "tests.faults.long_run", str(folder.path), *(["--naively"] if naively else [])]
    done = subprocess.run(
        argv, env=child_environment(), stdout=subprocess.PIPE, check=True, timeout=2 * _PATIENCE_S
    )
    return msgspec.json.decode(done.stdout, type=Opening)


class _Target(MessagePump):
    """Takes what the feed posts, in the feed's thread."""

    def __init__(self) -> None:
        super().__init__()
        self.left = set(_SIZES)
        self.num_points = 0
        self.is_open = threading.Event()
        self.failed = ""
        self._is_behind = True

    def post_message(self, message: object) -> bool:  # type: ignore[override]
        if isinstance(message, SnapshotArrived):
            self._is_behind = message.snapshot.is_behind
            self.num_points = sum(map(len, message.snapshot.series.values()))
        elif isinstance(message, PicturesDrawn) and not self._is_behind:
            self.left -= message.charts.keys()
        elif isinstance(message, FeedFailed):
            self.failed = message.report
        if self.failed or not self.left:
            self.is_open.set()
        return True


def _open(folder: RunFolder, keeps_cache: bool) -> tuple[float, float, int]:
    target = _Target()
    feed = RunFeed(folder, target)
    panes = tuple(PaneWish(name, *size) for name, size in _SIZES.items())
    feed.want(Wanted(ChartWishes(panes, WITHOUT_COLOUR)))
    started, began = time.perf_counter(), time.process_time()
    feed.start()
    is_open = target.is_open.wait(_PATIENCE_S)
    seconds, cpu_s = time.perf_counter() - started, time.process_time() - began
    deadline = time.perf_counter() + _PATIENCE_S
    while keeps_cache and not is_kept(folder) and time.perf_counter() < deadline:
        time.sleep(0.02)  # as when somebody looks on for a moment
    feed.stop()
    if target.failed or not is_open:
        raise RuntimeError(target.failed or f"not open within {_PATIENCE_S:g} s")
    return seconds, cpu_s, target.num_points


def is_kept(folder: RunFolder) -> bool:
    """Whether it has a cache."""
    return (folder.cache_dir / FILE_NAME).is_file()


def _read_naively(folder: RunFolder) -> tuple[float, float, int]:
    started, began = time.perf_counter(), time.process_time()
    records = []
    with folder.attempt(1).metrics_file.open("rb") as file:
        for line in file:
            record = json.loads(line)
            assert b"%08x" % zlib.crc32(line[:-19] + b"}") == record.pop("crc").encode()
            records.append(record)
    series: dict[str, list[tuple[float, float]]] = {}
    for record in records:
        for name, value in record.items():
            series.setdefault(name, []).append((record["step"], value))
    return time.perf_counter() - started, time.process_time() - began, METRICS * len(records)


def main() -> None:
    """Open a short run first, so that what the modules take is not counted as the long run's."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--naively", action="store_true")
    options = parser.parse_args()
    folder = RunFolder(options.folder)
    _open(finished_run(folder.path.parent.parent / "short"), keeps_cache=False)
    before = peak_bytes()
    seconds, cpu_s, num_points = _read_naively(folder) if options.naively else _open(folder, keeps_cache=True)
    peak = peak_bytes()
    print(json.dumps(msgspec.to_builtins(Opening(seconds, cpu_s, num_points, peak, (peak - before) / num_points))))


if __name__ == "__main__":
    main()
