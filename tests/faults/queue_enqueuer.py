"""A dashboard that queues runs and moves them about: `queue_enqueuer.py <number> <seed>` prints their ids."""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

from presets.config import with_values
from presets.schema import RunConfig
from runs import queue
from runs.folder import create_run

MOST_WAITING = 12


def main() -> None:
    """Queue that many runs; an id is printed once its run is acknowledged to wait."""
    runs, rng = Path(os.environ["TINYTRAIN_RUNS"]), random.Random(int(sys.argv[2]))
    for _ in range(int(sys.argv[1])):
        while len(queue.waiting(runs)) > MOST_WAITING:
            time.sleep(0.1)
        values = {"launch.device": "cpu", "launch.threads": rng.choice((1, 1, 2, 4))}
        folder = create_run(runs, with_values(RunConfig(), values), preset="queue")
        queue.enqueue(folder)
        print(folder.id, flush=True)
        waiting = queue.waiting(runs)
        if waiting:
            try:
                queue.move(rng.choice(waiting).folder, rng.choice(("up", "down", "first", "last")))
            except ValueError:  # it has begun in the meantime
                continue


if __name__ == "__main__":
    main()
