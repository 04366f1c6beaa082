"""Writes run folders as the supervisor and the engine do, for tests and for looking at the dashboard.

As a script it plays a live run: `python tests/run_writer.py RUNS_FOLDER [--steps 1200] [--rate 20]`.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import sys
import time
from pathlib import Path

import msgspec

from presets import config as configs
from presets.catalog import find_preset
from presets.probe_text import read_probe
from presets.schema import DEFAULT_PROBES, RunConfig
from runs.events import (
    AttemptEnded,
    AttemptStarted,
    Baselines,
    Candidate,
    CheckpointSaved,
    Evaluated,
    Event,
    Expected,
    Notice,
    Probed,
    ProbeResult,
    Progress,
)
from runs.folder import Attempt, RunFolder, create_run, write_atomically
from runs.lock import take_lock
from runs.processes import this_process
from runs.records import RecordWriter
from runs.status import ErrorReport, Outcome, State, StateRecord, tag_prefix

TOKENS_PER_STEP = 32 * 128
_WORDS = ["states", "government", "people", "nation", "message", "country", "union", "freedom", "rights"]


class AttemptWriter:
    """One attempt being written; `clock` is the Unix time of its records, moved by hand."""

    def __init__(self, folder: RunFolder, number: int = 1, clock: float = 1_760_000_000.0, seed: int = 0) -> None:
        self.folder = folder
        self.attempt: Attempt = folder.attempt(number)
        self.attempt.path.mkdir(parents=True, mode=0o700)
        self.metrics = RecordWriter(self.attempt.metrics_file)
        self.events = RecordWriter(self.attempt.events_file)
        self.console = self.attempt.console_file.open("a", encoding="utf-8")
        self.clock = self.began = clock
        self.step = 0
        self.total_steps = 0
        self.best: tuple[float, int] | None = None
        self.last_loss: float | None = None
        self._random = random.Random(seed)

    def say(self, event: Event) -> None:
        """Write an event with the present time."""
        self.events.write(msgspec.structs.replace(event, time=self.clock))

    def progress(self, phase: str, done: int, total: int, unit: str = "rows") -> None:
        self.say(Progress(phase=phase, done=done, total=total, unit=unit))

    def start(self, step: int = 0, total_steps: int = 1200, num_processes: int = 1) -> None:
        self.step, self.total_steps = step, total_steps
        self.say(
            AttemptStarted(
                step=step, dataset="addresses (embedded)", device="cpu", precision="fp32",
                num_processes=num_processes, num_parameters=660_000, total_steps=total_steps, vocab_size=4000,
                train_rows=18_000, validation_rows=1_800, train_tokens=2_300_000,
                tokens_per_step=TOKENS_PER_STEP, unknown_rate=0.01,
                resumed_from=f"step-{step:08d}" if step else "",
            )
        )  # fmt: skip
        self.say(Baselines(step=step, uniform_loss=math.log(4000), unigram_loss=6.54, unigram_accuracy=0.06))
        print(f"training begins at step {step} of {total_steps}", file=self.console, flush=True)

    def loss_at(self, step: int) -> float:
        """A curve as the quickstart has it."""
        return 4.9 + 3.4 * math.exp(-step / 160) + self._random.gauss(0, 0.06)

    def train(self, step: int, seconds: float, loss: float | None = None) -> None:
        self.clock += seconds
        num_steps = max(1, step - self.step)
        self.step = step
        value = self.loss_at(step) if loss is None else loss
        rate = num_steps * TOKENS_PER_STEP / max(seconds, 1e-6) * self._random.uniform(0.97, 1.03)
        warmup = 0.05 * max(self.total_steps, 1)
        lr = 2e-3 * min(step / warmup, (self.total_steps - step) / (self.total_steps - warmup))
        self.metrics.write(
            {
                "step": step, "time": self.clock, "elapsed_s": self.clock - self.began,
                "tokens": step * TOKENS_PER_STEP, "loss": value if math.isfinite(value) else None, "lr": lr,
                "grad_norm": 0.4 + math.exp(-step / 100) + abs(self._random.gauss(0, 0.05)),
                "tokens_per_second": rate, "samples_per_second": rate / 128, "step_time_s": seconds / num_steps,
                "data_time_s": 0.001, "memory_allocated_bytes": 512_000_000, "epoch": step / 560,
            }
        )  # fmt: skip
        print(f"step {step} loss {value:.4f}", file=self.console, flush=True)

    def evaluate(self, loss: float | None = None, seconds: float = 0.5) -> None:
        self.clock += seconds
        value = self.loss_at(self.step) + 0.08 if loss is None else loss
        is_best = self.best is None or value < self.best[0]
        self.best, self.last_loss = (value, self.step) if is_best else self.best, value
        self.metrics.write(
            {
                "step": self.step, "time": self.clock, "elapsed_s": self.clock - self.began,
                "tokens": self.step * TOKENS_PER_STEP, "val_loss": value, "val_perplexity": math.exp(value),
                "val_accuracy": 0.2, "val_accuracy_known": 0.21,
            }
        )  # fmt: skip
        self.say(
            Evaluated(
                step=self.step, loss=value, perplexity=math.exp(value), accuracy=0.2, accuracy_known=0.21,
                is_best=is_best,
            )
        )  # fmt: skip

    def probe(self) -> None:
        share = 1 - math.exp(-self.step / 500)
        results = []
        for index, probe in enumerate(map(read_probe, DEFAULT_PROBES)):
            words = _WORDS[index:] + _WORDS[:index]
            top = [0.02 + 0.5 * share, 0.11, 0.06 + 0.02 * share, 0.04, 0.02]
            found = tuple(Candidate(w, p) for w, p in zip(words, top, strict=False))
            rank = round(4000 ** (1 - share) / (index + 1)) or 1
            expected = tuple(Expected(word, word, rank, 1 / (rank + 1)) for word in probe.expected)
            results.append(ProbeResult(probe.text, (found,), expected=expected))
        self.say(Probed(step=self.step, probes=tuple(results)))

    def checkpoint(self) -> None:
        is_best = self.best is not None and self.best[1] == self.step
        name = f"step-{self.step:08d}"
        self.say(CheckpointSaved(step=self.step, name=name, is_best=is_best, num_bytes=8_000_000, elapsed_s=0.04))

    def notice(self, message: str, level: str = "info") -> None:
        self.say(Notice(step=self.step, level=level, message=message))  # type: ignore[arg-type]

    def run_to(self, stop: int, seconds_per_step: float = 0.2) -> None:
        """Train to a step, evaluating, probing and saving as the defaults do."""
        while self.step < stop:
            self.train(min(stop, self.step + 10), 10 * seconds_per_step)
            if self.step % 100 == 0:
                self.evaluate()
                self.probe()
            if self.step % 200 == 0:
                self.checkpoint()

    def end(self, state: str, reason: str = "") -> None:
        """The engine's last word and its outcome."""
        outcome = Outcome(
            state=state, reason=reason, step=self.step, total_steps=self.total_steps,  # type: ignore[arg-type]
            best_loss=self.best[0] if self.best else None, best_step=self.best[1] if self.best else None,
            last_loss=self.last_loss, elapsed_s=self.clock - self.began, ended=self.clock,
            exit_code=0 if state != "failed" else 1,
        )  # fmt: skip
        self.say(AttemptEnded(step=self.step, state=state, reason=reason))  # type: ignore[arg-type]
        write_atomically(self.attempt.outcome_file, msgspec.json.encode(outcome))
        self.close()

    def fail(self, exception: str, message: str, rank: int = 0, hint: str = "") -> None:
        """What a supervisor leaves of a run that raised."""
        frames = 'Traceback (most recent call last):\n  File "engine/trainer.py", line 88'
        traceback = f"{frames}\n{exception}: {message}\n"
        self.console.write(traceback)
        report = ErrorReport(rank, exception, message, traceback, self.clock, 1, self.step, hint)
        write_atomically(self.attempt.error_file, msgspec.json.encode(report))
        self.end("failed", f"rank {rank}: {exception}: {message}")

    def close(self) -> None:
        self.metrics.close()
        self.events.close()
        self.console.close()


class Supervision:
    """Holds the lock of a run and keeps its state.json, so that it counts as live."""

    def __init__(self, folder: RunFolder, attempt: int = 1) -> None:
        self.folder = folder
        self.attempt = attempt
        self._lock = take_lock(folder)

    def state(self, state: State, deadline: float = 0.0, message: str = "") -> None:
        record = StateRecord(
            state, self.attempt, tag_prefix(self.folder) + str(self.attempt), this_process(),
            since=time.time(), deadline=deadline, message=message,
        )  # fmt: skip
        write_atomically(self.folder.state_file, msgspec.json.encode(record))

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def new_run(runs: Path, name: str = "warm-otter", preset: str = "quickstart", max_steps: int = 1200) -> RunFolder:
    """An empty run folder."""
    config = configs.with_values(RunConfig(), {"train.max_steps": max_steps})
    return create_run(runs, config, name=name, preset=preset)


def finished_run(runs: Path, name: str = "warm-otter", steps: int = 400, preset: str = "quickstart") -> RunFolder:
    """A run that ended as it should."""
    folder = new_run(runs, name, preset, steps)
    writer = AttemptWriter(folder)
    writer.start(total_steps=steps)
    writer.evaluate(8.29)
    writer.probe()
    writer.run_to(steps)
    writer.end("finished", "all steps done")
    return folder


def sweep_member(runs: Path, sweep: str, loss: float | None, **values: float) -> RunFolder:
    """A run of a sweep that has ended with that best loss, or was never started. values: of `optim`."""
    config = configs.with_values(
        find_preset("quickstart").config, {f"optim.{name}": v for name, v in values.items()}
    )
    folder = create_run(runs, config, name=f"lr={values['lr']:g}", preset="quickstart")
    folder.change_about(sweep=sweep)
    if loss is not None:
        attempt = AttemptWriter(folder)
        attempt.start(total_steps=100)
        attempt.train(100, 1.0)
        attempt.evaluate(loss)
        attempt.end("finished")
    return folder


def two_runs(runs: Path) -> tuple[RunFolder, RunFolder]:
    """A run, and one with half its learning rate that ends earlier."""
    first = finished_run(runs, "warm-otter", steps=400)
    config = configs.with_values(RunConfig(), {"train.max_steps": 200, "optim.lr": 5e-4})
    second = create_run(runs, config, name="small-lr", preset="quickstart")
    writer = AttemptWriter(second, seed=1)
    writer.start(total_steps=200)
    writer.probe()
    writer.run_to(200)
    writer.end("finished", "all steps done")
    return first, second


def main() -> None:
    """Play a live run until it is done or interrupted."""
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", type=Path)
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--rate", type=float, default=20.0, help="steps a second")
    parser.add_argument("--name", default="warm-otter")
    parser.add_argument("--fail-at", type=int, default=0)
    arguments = parser.parse_args()
    folder = new_run(arguments.runs, arguments.name, max_steps=arguments.steps)
    supervision = Supervision(folder)
    supervision.state("running")
    writer = AttemptWriter(folder, clock=time.time())
    for done in range(0, 18_001, 1500):
        writer.progress("tokenising the addresses", done, 18_000)
        time.sleep(2 / arguments.rate)
        writer.clock = time.time()
    writer.start(total_steps=arguments.steps)
    writer.evaluate(8.29)
    writer.probe()
    try:
        while writer.step < arguments.steps:
            time.sleep(10 / arguments.rate)
            writer.train(writer.step + 10, time.time() - writer.clock)
            if writer.step % 100 == 0:
                writer.evaluate(seconds=0.0)
                writer.probe()
            if writer.step % 200 == 0:
                writer.checkpoint()
            if arguments.fail_at and writer.step >= arguments.fail_at:
                hint = "lower train.batch_size or model.hidden_size"
                writer.fail("OutOfMemoryError", "CUDA out of memory: tried to allocate 2.0 GiB", 3, hint)
                return
        writer.end("finished", "all steps done")
    except KeyboardInterrupt:
        writer.end("stopped", "you stopped it")
    finally:
        supervision.close()


if __name__ == "__main__":
    sys.exit(main())
