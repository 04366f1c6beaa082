"""The one training loop: steps, records, evaluations, probes, checkpoints, stopping."""

from __future__ import annotations

import gc
import time
from typing import Literal

import msgspec
import torch

from engine.data.documents import DataError
from engine.data.hashing import scalar_seed
from engine.distributed import World
from engine.memory import memory_bytes
from engine.objectives.mlm import scores_from
from engine.optim import learning_rate
from engine.precision import autocast
from engine.preparation import Prepared
from engine.probes import ProbeError, fill_masks
from engine.recorder import Recorder
from engine.stopping import StopRequested, StopSignal
from presets.config import to_toml
from runs.events import (
    AttemptEnded,
    CheckpointSaved,
    ControlAnswered,
    Evaluated,
    Notice,
    Probed,
    ProbeResult,
)
from runs.status import Outcome

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
        zero = torch.zeros((), dtype=torch.float64, device=world.device)
        # the loss of an earlier attempt is that of all processes, and they are summed up again
        self._window_loss = zero + (self.state.window_loss if world.is_main else 0.0)
        self._window_norm = zero + self.state.window_norm
        self._window_started = time.perf_counter()
        self._window_first = self.state.step
        self._data_time = 0.0
        self._saved_step = self._tried_step = self.state.step if self.state.step else -1

    def train(self) -> Outcome:
        """The whole loop. A stopping run saves and does not evaluate, so that a resumed one repeats nothing."""
        self.stop.is_training = True
        self.run.model.train()
        if self.state.step == 0:
            self._evaluate()
            self._probe()
        self._restart_window()
        wants_stop = self.stop.poll()
        while self.state.step < self.run.total_steps:
            try:
                is_stopped = self._step(wants_stop)
            except StopRequested:
                is_stopped = True  # while the stream was waited for
            except DataError:
                self._save(is_best=False)  # the stream broke off; resuming goes on from here
                raise
            if is_stopped:
                return self._stop_early()
            self._after_step()
            if self._is_out_of_patience():
                patience = self.config.train.early_stopping_patience
                return self._finish(f"no better loss in {patience} evaluations (early stopping)")
            wants_stop = self.stop.poll()
        return self._finish("all steps done")

    def _step(self, wants_stop: bool) -> bool:
        """One update, unless any process wants to stop: then nothing changes, and True is returned.

        The loss is divided by the number of predictions of the whole global batch, which every process
        can count by itself, so the gradient is exact for any accumulation and any number of processes.
        """
        if wants_stop and self.world.size == 1:
            return True
        config, run, step = self.config, self.run, self.state.step
        asked_at = time.perf_counter()
        epochs, samples = run.samples.take(self.state.samples, run.global_batch)
        epochs, samples = epochs.to(self.world.device), samples.to(self.world.device)
        num_predictions = run.objective.num_predictions(run.train.lengths[samples])
        mine = slice(self.world.rank, None, self.world.size)
        micro_batches = zip(
            epochs[mine].chunk(config.train.accumulation_steps),
            samples[mine].chunk(config.train.accumulation_steps),
            strict=True,
        )
        loss = torch.zeros((), dtype=torch.float64, device=self.world.device)
        if config.model.dropout:
            torch.manual_seed(scalar_seed(config.train.seed, 0xD209, step, self.world.rank))
        for micro_epochs, micro_samples in micro_batches:
            batch = run.objective.training_batch(run.train, micro_epochs, micro_samples)
            self._data_time += time.perf_counter() - asked_at
            with autocast(run.precision, self.world.device):
                micro_loss = run.objective.loss_sum(run.model, batch) / num_predictions
            micro_loss.backward()  # type: ignore[no-untyped-call]
            loss += micro_loss.detach()
            asked_at = time.perf_counter()
        if run.optimizer.reduce(self.world, wants_stop):
            run.optimizer.flat.gradient.zero_()
            return True
        norm = run.optimizer.step(learning_rate(config.optim, step, run.total_steps))
        self._window_loss += loss
        self._window_norm += norm
        self.state = msgspec.structs.replace(
            self.state,
            step=step + 1,
            samples=self.state.samples + run.global_batch,
            tokens=self.state.tokens + run.global_batch * config.data.sequence_length,
            window_steps=self.state.window_steps + 1,
        )
        return False

    def _after_step(self) -> None:
        train, step = self.config.train, self.state.step
        is_end = step == self.run.total_steps
        if step % train.log_every == 0 or is_end:
            self._record()
        is_best = False
        if step % train.eval_every == 0 or is_end:
            is_best = self._evaluate()
        if step % self.config.probes.every == 0 or is_end:
            self._probe()
        if step % train.checkpoint_every == 0 or is_best or is_end:
            self._save(is_best)
        if step % _COLLECT_EVERY == 0:
            gc.collect()
        elif step == self._window_first + 1:
            gc.collect()
            gc.freeze()  # what lives now lives to the end; scanning it again and again only stalls
            gc.disable()

    def _record(self) -> None:
        """Write the mean loss and gradient norm since the last record, and the speed of this attempt's steps."""
        sums = torch.stack([self._window_loss, self._window_norm])
        self.world.sum(sums[:1])  # each process knows the loss of its own share
        mean_loss, mean_norm = (sums / self.state.window_steps).tolist()
        step = self.state.step
        elapsed = time.perf_counter() - self._window_started
        num_steps = step - self._window_first  # steps of this attempt, fewer than the window's after a resume
        step_time = elapsed / num_steps
        sequences = self.run.global_batch / step_time
        self.recorder.metrics(
            step,
            self.state.tokens,
            {
                "loss": mean_loss,
                "lr": learning_rate(self.config.optim, step - 1, self.run.total_steps),
                "grad_norm": mean_norm,
                "tokens_per_second": sequences * self.config.data.sequence_length,
                "samples_per_second": sequences,
                "step_time_s": step_time,
                "data_time_s": self._data_time / num_steps,
                "memory_allocated_bytes": memory_bytes(self.world.device),
                "epoch": self.state.samples / self.run.samples.order.num_samples,
            },
        )
        self._window_loss.zero_()
        self._window_norm.zero_()
        self.state = msgspec.structs.replace(self.state, window_steps=0)
        self._restart_window()

    def _restart_window(self) -> None:
        self._window_started, self._window_first, self._data_time = time.perf_counter(), self.state.step, 0.0

    @torch.no_grad()
    def _evaluate(self) -> bool:
        """Score the frozen validation batch, shared out over the processes. Returns whether it is the best yet."""
        paused_at = time.perf_counter()
        run = self.run
        run.model.eval()
        sums = torch.zeros(5, dtype=torch.float64, device=self.world.device)
        for part in torch.split(
            run.validation_rows[self.world.rank :: self.world.size], self.config.train.batch_size
        ):
            with autocast(run.precision, self.world.device):
                sums += run.objective.score_sums(run.model, run.objective.frozen_batch(run.validation, part))
        run.model.train()
        scores = scores_from(self.world.sum(sums))
        best = self.state.best_loss
        least_gain = self.config.train.early_stopping_min_delta if best is not None else 0.0
        is_best = scores.loss == scores.loss and (best is None or scores.loss < best - least_gain)
        self.state = msgspec.structs.replace(
            self.state,
            last_loss=scores.loss,
            best_loss=scores.loss if is_best else best,
            best_step=self.state.step if is_best else self.state.best_step,
            evaluations_since_best=0 if is_best else self.state.evaluations_since_best + 1,
        )
        figures = {
            "val_loss": scores.loss,
            "val_perplexity": scores.perplexity,
            "val_accuracy": scores.accuracy,
            "val_accuracy_known": scores.accuracy_known,
        }
        self.recorder.metrics(self.state.step, self.state.tokens, figures)
        event = Evaluated(
            loss=scores.loss,
            perplexity=scores.perplexity,
            accuracy=scores.accuracy,
            accuracy_known=scores.accuracy_known,
            is_best=is_best,
        )
        self.recorder.event(self.state.step, event)
        self._window_started += time.perf_counter() - paused_at  # evaluation is not training speed
        return is_best

    def _probe(self) -> None:
        if not self.world.is_main or not self.config.probes.texts:
            return
        paused_at = time.perf_counter()
        results: list[ProbeResult] = []
        for text in self.config.probes.texts:
            try:
                results.append(
                    fill_masks(
                        self.run.model, self.run.cache.tokenizer, text, self.config.data.sequence_length,
                        self.config.probes.top_k,
                    )
                )  # fmt: skip
            except ProbeError as error:
                if self.state.step == 0:
                    self.recorder.event(0, Notice(level="warning", message=f"probe left out: {error}"))
        self.recorder.event(self.state.step, Probed(probes=tuple(results)))
        self._window_started += time.perf_counter() - paused_at

    def _save(self, is_best: bool) -> None:
        """Write a checkpoint. A full disk is said aloud and does not stop training."""
        paused_at = time.perf_counter()
        step = self._tried_step = self.state.step
        sums = torch.stack([self._window_loss, self._window_norm])
        self.world.sum(sums[:1])
        if self.world.is_main:
            window_loss, window_norm = sums.tolist()
            state = msgspec.structs.replace(self.state, window_loss=window_loss, window_norm=window_norm)
            self.recorder.sync()
            try:
                name, num_bytes = self.run.checkpoints.save(
                    self.run.model.state_dict(),
                    self.run.optimizer.state(),
                    state,
                    {"tokenizer.json": self.run.cache.tokenizer_json, "config.toml": to_toml(self.config)},
                    is_best=is_best,
                    keep=self.config.train.keep_checkpoints,
                )
            except OSError as error:
                message = f"the checkpoint of step {step} could not be written ({error}); training goes on"
                self.recorder.event(step, Notice(level="error", message=message))
            else:
                self._saved_step = step
                elapsed = time.perf_counter() - paused_at
                saved = CheckpointSaved(name=name, is_best=is_best, num_bytes=num_bytes, elapsed_s=elapsed)
                self.recorder.event(step, saved)
        self._window_started += time.perf_counter() - paused_at

    def _is_out_of_patience(self) -> bool:
        patience = self.config.train.early_stopping_patience
        return bool(patience) and self.state.evaluations_since_best >= patience

    def _stop_early(self) -> Outcome:
        requests = self.stop.take_requests()
        self._save(is_best=False)
        reason = self.stop.reason or "stopped on request of another process"
        saved = self._saved_step == self.state.step
        for request in requests:
            said = f"stopped at step {self.state.step}, " + (
                "with a checkpoint" if saved else "WITHOUT a checkpoint"
            )
            answer = ControlAnswered(request=request.id, verb="stop", accepted=True, message=said)
            self.recorder.event(self.state.step, answer)
        return self._end("stopped", reason)

    def _finish(self, reason: str) -> Outcome:
        for request in self.stop.take_requests():
            answer = ControlAnswered(request=request.id, verb="stop", accepted=False, message="already finished")
            self.recorder.event(self.state.step, answer)
        if self.state.step != self._tried_step:  # the same on every process, unlike whether it was written
            self._save(is_best=False)
        return self._end("finished", reason)

    def _end(self, ended: Literal["finished", "stopped"], reason: str) -> Outcome:
        self.recorder.event(self.state.step, AttemptEnded(state=ended, reason=reason))
        self.recorder.sync()
        state = self.state
        return Outcome(
            state=ended,
            reason=reason,
            step=state.step,
            total_steps=self.run.total_steps,
            best_loss=state.best_loss,
            best_step=state.best_step,
            last_loss=state.last_loss,
        )
