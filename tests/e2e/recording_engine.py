"""The engine with two additions: each rank writes down the samples it trains on, and a stop at a given step.

`RECORD_TO` is the folder of `rank-<n>.jsonl`, one line a batch; `STOP_AT` the step after which it stops.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from engine import __main__ as engine
from engine.batches_ahead import BatchesAhead, StepBatch
from engine.stopping import StopSignal
from engine.trainer import Trainer
from runs.status import Outcome


def main() -> int:
    """Train one attempt."""
    path = Path(os.environ["RECORD_TO"]) / f"rank-{os.environ.get('RANK', '0')}.jsonl"
    stop_at = int(os.environ["STOP_AT"])
    trainers: list[Trainer] = []
    make_batch, poll, train = BatchesAhead.batch, StopSignal.poll, Trainer.train

    def recorded(self: BatchesAhead, step: StepBatch, rows: slice) -> Any:
        mine = step.mine
        with path.open("a") as file:
            pairs = list(zip(mine.epochs[rows].tolist(), mine.samples[rows].tolist(), strict=True))
            file.write(json.dumps({"step": trainers[0].state.step, "samples": pairs}) + "\n")
        return make_batch(self, step, rows)

    def poll_or_stop(self: StopSignal) -> bool:
        if trainers and trainers[0].state.step >= stop_at and self.is_main:
            self.reason = "stopped by the test"
        return poll(self)

    def noted_train(self: Trainer) -> Outcome:
        trainers.append(self)
        return train(self)

    BatchesAhead.batch = recorded  # type: ignore[method-assign]
    StopSignal.poll = poll_or_stop  # type: ignore[method-assign]
    Trainer.train = noted_train  # type: ignore[method-assign]
    return engine.main()


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
