"""Very small runs on real text, in this process: what engine tests are made of."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from engine.distributed import World, join_world
from engine.preparation import Prepared, prepare
from engine.recorder import Recorder
from engine.stopping import StopSignal
from engine.trainer import Trainer
from presets.config import with_values
from presets.fields import Value
from presets.schema import RunConfig
from runs.folder import RunFolder, create_run
from runs.status import Outcome

TINY: dict[str, Value] = {
    "data.tokenizer": "word",
    "data.vocab_size": 200,
    "data.max_samples": 12,
    "data.validation_fraction": 0.25,
    "data.sequence_length": 16,
    "model.hidden_size": 8,
    "model.num_layers": 2,
    "model.num_heads": 2,
    "optim.lr": 1e-2,
    "train.batch_size": 8,
    "train.max_steps": 20,
    "train.log_every": 4,
    "train.eval_every": 5,
    "train.eval_rows": 32,
    "train.checkpoint_every": 10,
    "train.precision": "fp32",
    "probes.every": 10,
    "probes.texts": ("the people of the [MASK]",),
    "launch.device": "cpu",
    "launch.threads": 1,
}


def tiny_config(**changes: Value) -> RunConfig:
    """The tiny configuration, changed; `optim__schedule="wsd"` means the field optim.schedule."""
    return with_values(RunConfig(), {**TINY, **{name.replace("__", "."): v for name, v in changes.items()}})


class StopAt(StopSignal):
    """Asks for a stop when a given step is reached, as a signal would."""

    def __init__(self, folder: RunFolder, step: int | None) -> None:
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        super().__init__(folder, is_main=True)
        for number, handler in before.items():
            signal.signal(number, handler)
        self.step = step
        self.trainer: Trainer | None = None

    def poll(self) -> bool:
        if self.trainer is not None and self.trainer.state.step == self.step:
            self.reason = "stopped by the test"
        return super().poll()


def new_run(runs: Path, config: RunConfig) -> RunFolder:
    """A run folder that nobody has started."""
    return create_run(runs, config, preset="tiny")


def prepare_attempt(
    folder: RunFolder, *, resume: str = "", stop_at: int | None = None
) -> tuple[Prepared, World, Recorder, StopAt]:
    """The parts of a new attempt, as `engine.__main__` puts them together."""
    attempt = folder.attempt(len(folder.attempts()) + 1)
    attempt.path.mkdir(parents=True, mode=0o700)
    os.environ.pop("RANK", None)
    config = folder.config()
    stop = StopAt(folder, stop_at)
    recorder = Recorder(attempt, is_main=True)
    world = join_world(config.launch)
    return prepare(folder, config, world, recorder, stop, resume), world, recorder, stop


def train(folder: RunFolder, *, resume: str = "", stop_at: int | None = None) -> tuple[Trainer, Outcome]:
    """One attempt from its start to its end."""
    prepared, world, recorder, stop = prepare_attempt(folder, resume=resume, stop_at=stop_at)
    trainer = Trainer(prepared, world, recorder, stop)
    stop.trainer = trainer
    try:
        return trainer, trainer.train()
    finally:
        prepared.samples.close()
