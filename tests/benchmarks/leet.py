"""W&B LEET, the terminal dashboard that ours is measured beside: where it is, its run files, how it is started.

It comes in the `wandb` wheel. `$LEET` names its `wandb` command, else the one on the PATH is taken; without either
the benchmark says so and measures ours alone. Run files are written by the wandb package of that same command,
offline.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pyte

from tests.benchmarks.pty_program import COLUMNS, ROWS, TimedProgram

_WRITER = """
import random, sys, time
import wandb
folder, num_metrics, num_records, rate, seconds = sys.argv[1], *map(float, sys.argv[2:])
settings = wandb.Settings(console="off", x_disable_stats=True, x_disable_meta=True, silent=True)
run = wandb.init(project="bench", mode="offline", dir=folder, settings=settings)
chance = random.Random(0)
began, step = time.time(), 0
print("ready", flush=True)
while step < num_records and (not seconds or time.time() - began < seconds):
    step += 1
    run.log({f"metric_{number:03}": 2 + number + chance.random() for number in range(int(num_metrics))})
    if rate:
        time.sleep(max(0.0, began + step / rate - time.time()))
run.finish()
"""


def find_leet() -> Path | None:
    """The `wandb` command that has LEET, or None."""
    found = os.environ.get("LEET") or shutil.which("wandb")
    return Path(found).absolute() if found and Path(found).exists() else None


def environment(home: Path) -> dict[str, str]:
    """With a home of its own, so that nobody's settings count, and without network."""
    return {
        **os.environ, "HOME": str(home), "WANDB_MODE": "offline", "WANDB_ERROR_REPORTING": "false",
        "DO_NOT_TRACK": "1", "WANDB_SILENT": "true", "WANDB_CONFIG_DIR": str(home / "wandb-config"),
    }  # fmt: skip


def start_writer(
    leet: Path, folder: Path, num_metrics: int, num_records: int, rate: float = 0.0, seconds: float = 0.0
) -> subprocess.Popen[str]:
    """Write a run with the SDK; rate: records a second, 0 as fast as it goes; seconds: 0 to the end."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = map(str, (num_metrics, num_records, rate, seconds))
    python = leet.with_name("python")
    return subprocess.Popen(
        [python, "-c", _WRITER, folder, *numbers],
        env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip


def run_file(folder: Path, limit_s: float = 30.0) -> Path:
    """The run's log. Raises TimeoutError."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if found := sorted(folder.glob("wandb/*run-*/run-*.wandb")):
            return found[-1]
        time.sleep(0.05)
    raise TimeoutError(f"wandb wrote no run in {folder}")


def kept_run(leet: Path, kept: Path, num_metrics: int, num_records: int) -> Path:
    """A run of that size, written once: a million records take the SDK minutes."""
    folder = kept / f"leet-{num_metrics}x{num_records}"
    done = folder / "done"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        writer = start_writer(leet, folder, num_metrics, num_records)
        writer.communicate()
        if writer.returncode:
            raise RuntimeError("wandb could not write a run")
        done.touch()
    return run_file(folder)


def open_leet(leet: Path, file: Path) -> TimedProgram:
    """LEET on a run."""
    return TimedProgram([str(leet), "leet", "run", str(file)], environment(file.parent))


def first_paint(program: TimedProgram, least_cells: int = 200) -> float:
    """When so many cells showed something."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    for moment, piece in program.pieces():
        stream.feed(piece)
        if sum(len(line) - line.count(" ") for line in screen.display) >= least_cells:
            return moment
    raise RuntimeError("LEET painted nothing")
