"""When and what a run saves: weights that are judged, the optimizer, its state, and what belongs to them."""

from __future__ import annotations

import time
from typing import Literal

import msgspec

from engine.checkpoints import TrainState
from engine.distributed import World
from engine.preparation import Prepared
from engine.recorder import Recorder
from engine.stopping import StopSignal
from engine.window import WindowSums
from presets.config import to_toml
from runs.disk import free_bytes, is_full, require_room, room
from runs.events import CheckpointSaved, Notice
from runs.outcome_words import steps_lost

Moment = Literal["training", "ending", "waiting"]
_MARGINS: dict[Moment, float] = {"training": 2.2, "ending": 1.1, "waiting": 1.1}
"""Free room that a save needs, in its own size. In training it must not take the last of the disk from the run."""

_ROOM_POLL_S = 0.5
_RETRY_S = 2.0
_RETRY_TIMES = 20  # as long as a save took that failed, so that trying takes little of the time


class Saver:
    """Writes checkpoints on rank 0. A full disk is said aloud, and training goes on; so does saving, later.

    tried_step: of the last attempt to save. saved_step: of the last checkpoint that is there.
    """

    def __init__(self, prepared: Prepared, world: World, recorder: Recorder) -> None:
        self.run = prepared
        self.world = world
        self.recorder = recorder
        self.saved_step = self.tried_step = prepared.state.step if prepared.state.step else -1
        self._num_bytes = 0  # of a checkpoint, as far as known
        self._retry_at = 0.0
        self._owed: tuple[TrainState, bool] | None = None  # what found no room, with is_best

    def save(self, state: TrainState, window: WindowSums, *, is_best: bool, is_end: bool = False) -> float:
        """Write a checkpoint of this step. is_end: the run ends with it. Returns the seconds that it took."""
        started = time.perf_counter()
        self.tried_step = state.step
        if self.world.is_main:
            self.recorder.sync()
            state = msgspec.structs.replace(state, window=window)
            self._try(state, is_best=is_best, moment="ending" if is_end else "training")
        return time.perf_counter() - started

    def loss_words(self, step: int) -> str:
        """What a run that ends at this step has lost, as ` WITHOUT a checkpoint …`; empty when that is saved.

        Rank 0 alone knows; on the others it is empty.
        """
        if not self.world.is_main or self.saved_step == step:
            return ""
        why = "the disk is full" if self._owed is not None else "it could not be written"
        return f" WITHOUT a checkpoint, for {why}: {steps_lost(self.saved_step, step)}"

    def can_catch_up(self) -> bool:
        """Whether rank 0 owes a checkpoint that found no room, and there is room now."""
        if self._owed is None or time.monotonic() < self._retry_at:
            return False
        free = free_bytes(self.run.checkpoints.folder)
        return free is None or free >= _MARGINS["training"] * self._num_bytes

    def waits_for_room(self, stop: StopSignal) -> bool:
        """Wait, when all steps are done, until the last checkpoint and all records are on the disk.

        Every process calls it. False when somebody asks for an end before that.
        """
        while self.world.any(self._lacks_room()):
            if self.world.any(stop.wants_end()):
                return False
            self.world.mark.at("waiting for room on the disk")
            time.sleep(_ROOM_POLL_S)
        return True

    def _lacks_room(self) -> bool:
        if not self.world.is_main:
            return False
        if self._owed is not None and time.monotonic() >= self._retry_at:
            state, is_best = self._owed
            self._try(state, is_best=is_best, moment="waiting")
        return self.recorder.is_behind() or self._owed is not None

    def _try(self, state: TrainState, *, is_best: bool, moment: Moment) -> None:
        self._owed = None
        started = time.monotonic()
        failed = f"the checkpoint of step {state.step:,} could not be written"
        try:
            self._write(state, is_best=is_best, margin=_MARGINS[moment])
        except OSError as error:
            if not is_full(error):
                message = f"{failed} ({error}); training goes on"
                self.recorder.event(state.step, Notice(level="error", message=message))
                return
            self._owed = state, is_best
            now = time.monotonic()  # a quota shows only after everything was written
            self._retry_at = now + max(_RETRY_S, _RETRY_TIMES * (now - started))
            self.recorder.disk.pause("saving", self._sentence(failed, error, moment))
        else:
            self.recorder.disk.go_on("saving", f"there is room again, and step {state.step:,} is saved")

    def _sentence(self, failed: str, error: OSError, moment: Moment) -> str:
        where = f"the disk of {self.run.checkpoints.folder} is full"
        if moment == "waiting":  # no free room in it, so that it is the same at every try, and said once
            needed = f"all steps are done, and it needs {room(round(_MARGINS[moment] * self._num_bytes))}"
            return f"{failed}: {where}; {needed}: make room and it is written, or stop the run, which gives it up"
        there = f"the last one is of step {self.saved_step:,}" if self.saved_step >= 0 else "there is none yet"
        why = f"{where} ({error.strerror}); {there}"
        if moment == "ending":
            return f"{failed}: {why}, and the run ends with that"
        return f"{failed}: {why}; training goes on, and it is saved as soon as there is room: make room"

    def _write(self, state: TrainState, *, is_best: bool, margin: float) -> None:
        started = time.perf_counter()
        run, folder = self.run, self.run.checkpoints.folder
        require_room(folder, self._num_bytes, margin)  # before gigabytes are copied from the device
        texts = {"tokenizer.json": run.cache.tokenizer_json, "config.toml": to_toml(run.config)}
        if run.model.labels:
            texts["labels.json"] = msgspec.json.encode(run.model.labels).decode()
        with run.optimizer.judged():
            weights = {name: tensor.detach().clone() for name, tensor in run.model.state_dict().items()}
        moments = run.optimizer.state()
        self._num_bytes = sum(tensor.nbytes for tensor in (*weights.values(), *moments.values()))
        self._num_bytes += sum(map(len, texts.values()))
        require_room(folder, self._num_bytes, margin)
        name, num_bytes = run.checkpoints.save(
            weights, moments, state, texts, is_best=is_best, keep=run.config.train.keep_checkpoints
        )
        self.saved_step = state.step
        elapsed = time.perf_counter() - started
        saved = CheckpointSaved(name=name, is_best=is_best, num_bytes=num_bytes, elapsed_s=elapsed)
        self.recorder.event(state.step, saved)
