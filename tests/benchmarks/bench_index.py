"""Listing 500 runs: the first look, a look at nothing new, and the looks that fill in sizes and curves."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from runs.summary import RunIndex
from tests.run_writer import finished_run

NUM_RUNS = 500


def main() -> None:
    """Print milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder)
        for number in range(NUM_RUNS):
            finished_run(runs, f"run-{number}", steps=400)
        index = RunIndex(runs)
        looks = []
        while not looks or index.lacks_details:
            started = time.perf_counter()
            index.poll()
            looks.append((time.perf_counter() - started) * 1e3)
        idle = []
        for _ in range(10):
            started = time.perf_counter()
            index.poll()
            idle.append((time.perf_counter() - started) * 1e3)
    print(f"{NUM_RUNS} runs: first look {looks[0]:.0f} ms, nothing new {statistics.median(idle):.1f} ms")
    per_second = NUM_RUNS / (sum(looks[1:]) / 1e3)
    print(f"details: {per_second:.0f} runs a second, in looks of {statistics.median(looks[1:]):.0f} ms")


if __name__ == "__main__":
    main()
