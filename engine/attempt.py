"""One attempt on one rank, from joining the others to its outcome."""

from __future__ import annotations

from engine.distributed import join_world, use_threads
from engine.live_control import answered
from engine.preparation import prepare
from engine.progress import ProgressMark
from engine.recorder import Recorder
from engine.stopping import StopRequested, StopSignal
from engine.trainer import Trainer
from presets.config import require_valid
from runs.control import ENDING_VERBS
from runs.events import AttemptEnded
from runs.folder import Attempt, RunFolder
from runs.status import Outcome


def train_attempt(folder: RunFolder, attempt: Attempt, rank: int, resume: str, mark: ProgressMark) -> None:
    """Train until the run is finished, stopped or paused, and write its outcome. Raises what it fails of."""
    stop = StopSignal(folder, is_main=rank == 0)
    config = require_valid(folder.config())
    recorder = Recorder(attempt, is_main=rank == 0)
    try:
        stop.allow_interruption()  # now that there is a recorder to say so
        world = join_world(config.launch, mark)
        use_threads(config.launch, world.size)
        mark.at("preparing")
        prepared = prepare(folder, config, world, recorder, stop, resume)
        trainer = Trainer(prepared, world, recorder, stop)
        try:
            outcome = trainer.train()
        finally:
            prepared.samples.close()
        mark.at("at the end")
        world.close()
    except StopRequested as request:
        stop.is_interruptible = False  # a second signal must not keep the outcome from being written
        reason = f"{request}, before the first step"
        ending = stop.ending
        outcome = Outcome(state=ending, reason=reason, step=0, total_steps=0)
        for asked in stop.take_requests():
            recorder.event(0, answered(asked, reason, accepted=asked.verb in ENDING_VERBS))
        recorder.event(0, AttemptEnded(state=ending, reason=reason))
    recorder.outcome(outcome)
