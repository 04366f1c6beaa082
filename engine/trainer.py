"""The one training loop: steps, records, evaluations, probes, checkpoints, requests, and its end."""

from __future__ import annotations

import gc
import time
from typing import Literal

import msgspec

from engine.data.documents import DataError
from engine.distributed import World
from engine.examiner import Examiner
from engine.health import HealthWatch, diverged
from engine.live_control import Asked, Change, Refusal, Task, answered, apply, gather
from engine.optim import learning_rate
from engine.preparation import Prepared
from engine.recorder import Recorder
from engine.saving import Saver
from engine.step_records import StepRecords
from engine.stopping import StopRequested, StopSignal
from engine.updates import Updater
from engine.window import Stopwatch
from runs.control import ENDING_VERBS, Request
from runs.events import AttemptEnded
from runs.status import Outcome

Ended = Literal["finished", "stopped", "paused"]
_COLLECT_EVERY = 1000  # steps between garbage collections; a scan in the middle of a step stalls all ranks


class Trainer:
    """Runs a prepared run to its end, or until it is asked to stop."""

    def __init__(self, prepared: Prepared, world: World, recorder: Recorder, stop: StopSignal) -> None:
        self.run = prepared
        self.config = prepared.config
        self.world = world
        self.recorder = recorder
        self.stop = stop
        self.state = prepared.state
        self.stopwatch = Stopwatch(world.device)
        self.updater = Updater(prepared, world, self.stopwatch, self._warn)
        self.saver = Saver(prepared, world, recorder)
        self.health = HealthWatch(self.config, round(self.config.optim.warmup_ratio * prepared.total_steps))
        self.records = StepRecords(prepared, world, recorder, self.updater, self.stopwatch, self.health)
        self.examiner = Examiner(prepared, world, recorder, self.updater, self.stopwatch, self.health)
        self._first_step = self._closed_step = self.state.step

    @property
    def total_steps(self) -> int:
        """As configured, or as somebody asked for while it ran."""
        return self.state.total_steps or self.run.total_steps

    def learning_rate(self, step: int) -> float:
        """Of update number `step`: the schedule's, times what somebody asked for while it ran."""
        return self.state.lr_factor * learning_rate(self.config.optim, step, self.total_steps)

    def train(self) -> Outcome:
        """The whole loop. A stopping run saves and does not evaluate, so that a resumed one repeats nothing."""
        self.stop.is_interruptible = False  # from here on at step boundaries
        self.run.model.train()
        if self.state.step == 0 and self.state.last_loss is None:  # a run that was paused here has done it
            self._evaluate()
            self.examiner.check_start(self.state)
            self.examiner.probe(self.state)
        self.stopwatch.restart(self.state.step)
        while self.state.step < self.total_steps:
            try:
                is_made = self._step(wants_attention=self.stop.poll())
            except StopRequested:
                is_made = False  # while the stream was waited for
            except DataError:
                self._save(is_best=False, is_end=True)  # the stream broke off; resuming goes on from here
                raise
            if is_made:
                self._after_step()
            elif (ended := self._attend()) is not None:
                return ended
            if self._is_out_of_patience():
                patience = self.config.train.early_stopping_patience
                return self._finish(f"no better loss in {patience} evaluations (early stopping)")
        if self.state.step != self._closed_step:  # somebody shortened the run to the steps that it had made
            self._close()
        return self._finish("all steps done")

    def _step(self, *, wants_attention: bool) -> bool:
        """One update; False when any process wants attention instead."""
        if wants_attention and self.world.size == 1:
            return False
        state, step = self.state, self.state.step
        self.world.mark.at("in training", step)
        started = time.perf_counter()
        update = self.updater.make(
            step,
            state.samples,
            step / self.total_steps,
            self.learning_rate(step),
            wants_attention=wants_attention,
            measure=self._is_record_due(step + 1),
        )
        if update is None:
            return False
        self.records.add(update)
        self.state = msgspec.structs.replace(
            state,
            step=step + 1,
            samples=state.samples + self.run.global_batch,
            tokens=state.tokens + update.tokens,
            micro_batch=self.updater.micro_batch,
        )
        self.stopwatch.tokens += update.tokens
        seconds = max(time.perf_counter() - started, self.stopwatch.slowest_pass())
        self.recorder.events(step + 1, self.health.after_step(step + 1, seconds))
        return True

    def _is_record_due(self, step: int) -> bool:
        return step % self.config.train.log_every == 0 or step == self.total_steps

    def _after_step(self) -> None:
        train, step = self.config.train, self.state.step
        self._end_if_lost()
        if step == self.total_steps:
            return self._close()
        if self._is_record_due(step):
            self._record()
        is_best = step % train.eval_every == 0 and self._evaluate()
        if step % self.config.probes.every == 0:
            self.examiner.probe(self.state)
        if step % train.checkpoint_every == 0 or is_best or self._owes_checkpoint():
            self._save(is_best)
        if step % _COLLECT_EVERY == 0:
            gc.collect()
        elif step == self._first_step + 1:
            gc.collect()
            gc.freeze()  # what lives now lives to the end; scanning it again and again only stalls
            gc.disable()
        return None

    def _close(self) -> None:
        """The last record, evaluation, probe and checkpoint."""
        self._closed_step = self.state.step
        if self.records.window.steps:
            self._record()
        is_best = self._evaluate()
        self.examiner.probe(self.state)
        self._save(is_best)

    def _record(self) -> None:
        self.records.write(self.state, self.total_steps, self.learning_rate(self.state.step - 1))

    def _end_if_lost(self) -> None:
        """Raises TrainingDiverged, with a checkpoint, when too many updates in a row were skipped."""
        step, limit = self.state.step, self.config.train.max_skipped_updates
        if self.world.device.type == "cuda" and step % limit:
            return  # reading the number waits for the device
        in_a_row = round(self.run.optimizer.skipped_in_a_row().item())
        if in_a_row >= limit:
            if self.records.window.steps:
                self._record()
            self._save(is_best=False)
            raise diverged(step, in_a_row)

    def _evaluate(self, *, counts: bool = True) -> bool:
        """Score the frozen validation batch; whether it is the best yet. counts: as for an Examiner."""
        self.state, is_best = self.examiner.evaluate(self.state, counts=counts)
        return is_best

    def _save(self, is_best: bool, *, is_end: bool = False) -> None:
        self.world.mark.at("saving a checkpoint", self.state.step)
        seconds = self.saver.save(self.state, self.records.window.read(), is_best=is_best, is_end=is_end)
        self.stopwatch.leave_out(seconds)

    def _owes_checkpoint(self) -> bool:
        """Whether one that found no room on the disk can be made up for; agreed on by all processes."""
        return self._is_record_due(self.state.step) and self.world.any(self.saver.can_catch_up())

    def _is_out_of_patience(self) -> bool:
        patience = self.config.train.early_stopping_patience
        return bool(patience) and self.state.evaluations_since_best >= patience

    def _attend(self) -> Outcome | None:
        """Do what was asked for, between two steps. Returns the outcome when that ends the run."""
        asked = gather(self.stop, self.world)
        if asked.ending:
            return self._stop_early(asked)
        for request in asked.requests:
            self._do(request)
        return None

    def _do(self, request: Request) -> None:
        """One request, and its answer."""
        step = self.state.step
        match apply(request, self.state, self.config, self.total_steps):
            case Refusal(message):
                self._answer(request, message, accepted=False)
            case Change(message=message, probes=tuple(texts)):
                self._change_probes(request, texts, message)
            case Change(lr_factor, total_steps, message):
                self.state = msgspec.structs.replace(self.state, lr_factor=lr_factor, total_steps=total_steps)
                self._answer(request, message)
            case Task("evaluate"):
                if self._evaluate(counts=False):
                    self._save(is_best=True)
                self._answer(request, f"evaluated at step {step:,}: {self.state.last_loss:.3f} nats")
            case Task("probe"):
                self.examiner.probe(self.state)
                self._answer(request, f"probed at step {step:,}")
            case Task():
                self._save(is_best=False)
                saved = self.saver.saved_step == step
                said = f"checkpoint of step {step:,} saved" if saved else "the checkpoint could not be written"
                self._answer(request, said, accepted=saved)

    def _change_probes(self, request: Request, texts: tuple[str, ...], message: str) -> None:
        """Take other sentences and show at once what the model makes of them. Decided alike on every process."""
        if problem := self.examiner.why_no_room(texts):
            self._answer(request, problem, accepted=False)
            return
        self.state = msgspec.structs.replace(self.state, probes=texts)
        notes = self.examiner.probe(self.state)
        self._answer(request, "; ".join((message, *notes)))

    def _answer(self, request: Request, message: str, *, accepted: bool = True) -> None:
        event = answered(request, message, accepted=accepted, total_steps=self.total_steps)
        self.recorder.event(self.state.step, event)
        self.stop.answer(request)

    def _stop_early(self, asked: Asked) -> Outcome:
        self._save(is_best=False, is_end=True)
        step, ended, lost = self.state.step, asked.ending or "stopped", self.saver.loss_words(self.state.step)
        for request in asked.requests:
            said = f"{ended} at step {step:,}{lost or ', with a checkpoint'}"
            is_end = request.verb in ENDING_VERBS
            self._answer(request, said if is_end else f"the run was {ended} first", accepted=is_end)
        return self._end(ended, asked.reason + lost)

    def _finish(self, reason: str) -> Outcome:
        is_changed = self.state.total_steps != self.run.state.total_steps
        # the same on every process, unlike whether it was written
        if self.state.step != self.saver.tried_step or is_changed:
            self._save(is_best=False)
        if not self.saver.waits_for_room(self.stop):
            return self._give_up_saving()
        for request in self.stop.requests():
            self._answer(request, "already finished", accepted=False)
        return self._end("finished", reason)

    def _give_up_saving(self) -> Outcome:
        """The run was to end while it waited for room; without its last checkpoint it is not finished."""
        step, ending, lost = self.state.step, self.stop.ending, self.saver.loss_words(self.state.step)
        reason = (self.stop.reason or "stopped") + (lost or ", while its last records waited for room on the disk")
        said = f"{ending} at step {step:,}{lost or ', with a checkpoint'}"
        for request in self.stop.requests():
            self._answer(request, said, accepted=request.verb in ENDING_VERBS)
        return self._end(self.world.from_main(ending), self.world.from_main(reason))

    def _end(self, ended: Ended, reason: str) -> Outcome:
        self.recorder.event(self.state.step, AttemptEnded(state=ended, reason=reason))
        self.recorder.sync()
        state = self.state
        return Outcome(
            state=ended,
            reason=reason,
            step=state.step,
            total_steps=self.total_steps,
            best_loss=state.best_loss,
            best_step=state.best_step,
            last_loss=state.last_loss,
            saved_step=max(0, self.saver.saved_step),
        )

    def _warn(self, message: str) -> None:
        self.recorder.warn(self.state.step, message)
