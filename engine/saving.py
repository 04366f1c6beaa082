"""When and what a run saves: weights that are judged, the optimizer, its state, and what belongs to them."""

from __future__ import annotations

import time

import msgspec

from engine.checkpoints import TrainState
from engine.distributed import World
from engine.preparation import Prepared
from engine.recorder import Recorder
from engine.window import WindowSums
from presets.config import to_toml
from runs.events import CheckpointSaved, Notice


class Saver:
    """Writes checkpoints on rank 0. A full disk is said aloud and does not stop training.

    tried_step: of the last attempt to save. saved_step: of the last checkpoint that is there.
    """

    def __init__(self, prepared: Prepared, world: World, recorder: Recorder) -> None:
        self.run = prepared
        self.world = world
        self.recorder = recorder
        self.saved_step = self.tried_step = prepared.state.step if prepared.state.step else -1

    def save(self, state: TrainState, window: WindowSums, *, is_best: bool) -> float:
        """Write a checkpoint of this step. Returns the seconds that it took."""
        started = time.perf_counter()
        self.tried_step = state.step
        if self.world.is_main:
            self.recorder.sync()
            try:
                self._write(msgspec.structs.replace(state, window=window), is_best, started)
            except OSError as error:
                message = f"the checkpoint of step {state.step} could not be written ({error}); training goes on"
                self.recorder.event(state.step, Notice(level="error", message=message))
        return time.perf_counter() - started

    def _write(self, state: TrainState, is_best: bool, started: float) -> None:
        run = self.run
        texts = {"tokenizer.json": run.cache.tokenizer_json, "config.toml": to_toml(run.config)}
        if run.model.labels:
            texts["labels.json"] = msgspec.json.encode(run.model.labels).decode()
        with run.optimizer.judged():
            weights = {name: tensor.detach().clone() for name, tensor in run.model.state_dict().items()}
        name, num_bytes = run.checkpoints.save(
            weights, run.optimizer.state(), state, texts, is_best=is_best, keep=run.config.train.keep_checkpoints
        )
        self.saved_step = state.step
        elapsed = time.perf_counter() - started
        self.recorder.event(
            state.step, CheckpointSaved(name=name, is_best=is_best, num_bytes=num_bytes, elapsed_s=elapsed)
        )
