"""A live run that records at random moments, some twenty times a second.

`python -m tests.faults.live_writer FOLDER [STEP]` makes an attempt of its own, the next of the run, from that step
on; says `ready` once it trains, and goes on until its stdin closes.
"""

from __future__ import annotations

import random
import select
import sys
import time
from pathlib import Path

from runs.folder import RunFolder
from tests.run_writer import AttemptWriter, Supervision

_MEAN_S = 0.05


def main() -> None:
    """Hold the run's lock, and record."""
    folder = RunFolder(Path(sys.argv[1]))
    number = len(folder.attempts()) + 1
    step = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    supervision = Supervision(folder, number)
    writer = AttemptWriter(folder, number, clock=time.time())
    writer.start(step=step, total_steps=step + 1_000_000)
    supervision.state("running")
    chance = random.Random(number)
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], chance.uniform(0.2, 1.8) * _MEAN_S)[0]:
        writer.train(writer.step + 1, time.time() - writer.clock)
    writer.end("stopped", "you stopped it")
    supervision.close()


if __name__ == "__main__":
    main()
