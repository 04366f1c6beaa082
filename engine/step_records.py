"""The training records of a run: what happened between two of them, and what looks wrong in it."""

from __future__ import annotations

from torch import Tensor

from engine.checkpoints import TrainState
from engine.distributed import World
from engine.figures import rank_figures, training_figures
from engine.health import HealthWatch, skipped_event
from engine.preparation import Prepared
from engine.recorder import Recorder
from engine.updates import Update, Updater
from engine.window import Stopwatch, Window


class StepRecords:
    """Every process makes the same calls, and the main one writes. window: the updates since the last record."""

    def __init__(
        self,
        prepared: Prepared,
        world: World,
        recorder: Recorder,
        updater: Updater,
        stopwatch: Stopwatch,
        health: HealthWatch,
    ) -> None:
        self.window = Window(world, prepared.state.window)
        self._run = prepared
        self._world = world
        self._recorder = recorder
        self._updater = updater
        self._stopwatch = stopwatch
        self._health = health
        self._update_ratio: Tensor | None = None
        self._passes = [updater.micro_batch] * world.size

    def add(self, update: Update) -> None:
        """One step."""
        self.window.add(update.loss, update.figures.norm, update.figures.skipped)
        self._update_ratio = update.figures.update_ratio

    def write(self, state: TrainState, total_steps: int, lr: float) -> None:
        """Write what happened since the last record, and look at how it goes. lr: of the last update."""
        step, stopwatch = state.step, self._stopwatch
        self._world.mark.at("writing a record", step)
        sums = self.window.read()
        seconds_by_rank = self._world.gather(stopwatch.compute_s / max(1, stopwatch.num_steps(step)))
        share = (step - 1) / total_steps
        figures = training_figures(self._run, sums, stopwatch, step, share, lr, self._update_ratio)
        self._recorder.metrics(step, state.tokens, figures | rank_figures(seconds_by_rank))
        self.window.clear()
        stopwatch.restart(step)
        self._recorder.events(step, self._health.after_record(step, figures["loss"], figures["step_time_s"]))
        self._recorder.events(step, self._health.ranks(step, seconds_by_rank))
        self._say_smaller_passes(step)
        if sums.skipped:
            self._recorder.event(step, skipped_event(step, round(sums.skipped), self._run.precision))

    def _say_smaller_passes(self, step: int) -> None:
        """Another rank's memory may have run out too; it could only say so in its own log."""
        passes = [round(size) for size in self._world.gather(float(self._updater.micro_batch))]
        for rank, (before, now) in enumerate(zip(self._passes, passes, strict=True)):
            if rank and now < before:
                message = f"memory ran out on rank {rank}: its passes are of {now} sequences, before of {before}"
                self._recorder.warn(step, message)
        self._passes = passes
