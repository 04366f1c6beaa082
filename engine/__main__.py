"""Entry of one rank: `python -m engine <run folder> --attempt N [--resume last|best|step-00001000]`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from engine.distributed import join_world, use_threads
from engine.live_control import answered
from engine.preparation import prepare
from engine.recorder import Recorder, write_error
from engine.stopping import StopRequested, StopSignal
from engine.trainer import Trainer
from presets.config import require_valid
from runs.control import ENDING_VERBS
from runs.events import AttemptEnded
from runs.folder import RunFolder
from runs.status import Outcome


def main(arguments: list[str] | None = None) -> int:
    """Train one attempt. Returns 0 when it finished, was stopped or paused, 1 when it failed."""
    parser = argparse.ArgumentParser(prog="python -m engine", description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--attempt", type=int, required=True)
    parser.add_argument("--resume", default="")
    options = parser.parse_args(arguments)
    os.umask(0o077)
    folder = RunFolder(options.run.resolve())
    attempt = folder.attempt(options.attempt)
    rank = int(os.environ.get("RANK", "0"))
    trainer: Trainer | None = None
    try:
        stop = StopSignal(folder, is_main=rank == 0)
        config = require_valid(folder.config())
        recorder = Recorder(attempt, is_main=rank == 0)
        try:
            world = join_world(config.launch)
            use_threads(config.launch, world.size)
            prepared = prepare(folder, config, world, recorder, stop, options.resume)
            trainer = Trainer(prepared, world, recorder, stop)
            try:
                outcome = trainer.train()
            finally:
                prepared.samples.close()
            world.close()
        except StopRequested as request:
            reason = f"{request}, before the first step"
            ending = stop.ending
            outcome = Outcome(state=ending, reason=reason, step=0, total_steps=0)
            for asked in stop.take_requests():
                recorder.event(0, answered(asked, reason, accepted=asked.verb in ENDING_VERBS))
            recorder.event(0, AttemptEnded(state=ending, reason=reason))
        recorder.outcome(outcome)
    except BaseException as error:  # noqa: BLE001 (everything ends up here: said in full, then exit 1)
        write_error(attempt, rank, error, trainer.state.step if trainer else 0)
        print_exception(error)
        return 1
    return 0


def print_exception(error: BaseException) -> None:
    """The whole traceback, to the console file."""
    sys.excepthook(type(error), error, error.__traceback__)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # gloo's and NCCL's threads may wait for ranks that have failed
