"""What a run is asked between two steps: how well it scores the held-out text, and what it says of its probes."""

from __future__ import annotations

import math
import time

import msgspec

from engine.checkpoints import TrainState
from engine.distributed import World
from engine.evaluation import evaluate, evaluated, probe_sentences
from engine.health import HealthWatch, check_start
from engine.live_control import probe_texts
from engine.preparation import Prepared
from engine.probes import ProbeError, require_room, word_notes
from engine.recorder import Recorder
from engine.updates import Updater
from engine.window import Stopwatch
from presets.probe_text import read_probe
from runs.events import Notice, Probed


class Examiner:
    """Records what comes of it, and leaves the time it took out of the training speed."""

    def __init__(
        self,
        prepared: Prepared,
        world: World,
        recorder: Recorder,
        updater: Updater,
        stopwatch: Stopwatch,
        health: HealthWatch,
    ) -> None:
        self._run, self._config = prepared, prepared.config
        self._world = world
        self._recorder = recorder
        self._updater = updater
        self._stopwatch = stopwatch
        self._health = health
        self._complaints: set[str] = set()

    def evaluate(self, state: TrainState, *, counts: bool = True) -> tuple[TrainState, bool]:
        """Score the frozen validation batch: the state after it, and whether it is the best yet.

        counts: towards early stopping and a plateau; one that somebody asked for does not.
        """
        self._world.mark.at("in evaluation", state.step)
        paused_at = time.perf_counter()
        scores, rows_at_once = evaluate(self._run, self._world, self._updater.micro_batch)
        if rows_at_once < self._updater.micro_batch:
            self._updater.shrink(rows_at_once)
        best = state.best_loss
        least_gain = self._config.train.early_stopping_min_delta if best is not None else 0.0
        is_best = scores.loss == scores.loss and (best is None or scores.loss < best - least_gain)
        state = msgspec.structs.replace(
            state,
            last_loss=scores.loss,
            best_loss=scores.loss if is_best else best,
            best_step=state.step if is_best else state.best_step,
            evaluations_since_best=0 if is_best else state.evaluations_since_best + counts,
        )
        figures = {"val_loss": scores.loss, "val_perplexity": scores.perplexity}
        figures |= {f"val_{name}": value for name, value in scores.figures.items()}
        self._recorder.metrics(state.step, state.tokens, figures)
        self._recorder.event(state.step, evaluated(scores, is_best, self._run.model.labels))
        if counts:
            for noticed in self._health.after_evaluation(state.step, scores.loss):
                self._recorder.event(state.step, noticed)
        self._stopwatch.leave_out(time.perf_counter() - paused_at)  # evaluation is not training speed
        return state, is_best

    def check_start(self, state: TrainState) -> None:
        """Untrained weights that do much worse than guessing cannot be right. Raises TrainingDiverged."""
        if not self._config.model.start_from and self._run.baselines is not None:
            loss = math.nan if state.last_loss is None else state.last_loss
            objective = self._config.objective
            weight = objective.mlm_weight if objective.kind in ("nsp", "sop") else 1.0
            check_start(loss, self._run.baselines.uniform_loss, weight)

    def probe(self, state: TrainState) -> tuple[str, ...]:
        """Let the model fill in the sentences; returns what is to be said of the words that belong there.

        Why a sentence cannot be probed is said once. The main process alone does it; the others wait at the next
        collective call.
        """
        texts = probe_texts(state, self._config)
        if not self._world.is_main or not texts:
            return ()
        self._world.mark.at("in a probe")
        paused_at = time.perf_counter()
        results, complaints = probe_sentences(self._run, texts)
        notes = word_notes(results)
        warnings = [f"probe left out: {one}" for one in complaints if one not in self._complaints]
        self._complaints.update(complaints)
        for words in (*warnings, *(notes if state.step == 0 else ())):
            self._recorder.event(state.step, Notice(level="warning", message=words))
        self._recorder.event(state.step, Probed(probes=results))
        self._stopwatch.leave_out(time.perf_counter() - paused_at)
        return notes

    def why_no_room(self, texts: tuple[str, ...]) -> str:
        """Which of some probes is too long for the model, in a sentence; empty when all fit."""
        for number, text in enumerate(texts, 1):
            try:
                require_room(
                    self._run.cache.tokenizer, read_probe(text).text, self._config, self._run.model.length
                )
            except ProbeError as error:
                return f"sentence {number}: {error}"
        return ""
