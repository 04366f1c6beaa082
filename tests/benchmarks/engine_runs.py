"""Real runs of the engine, for measuring: a corpus of full sequences, a warm cache, processes of their own."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from presets.config import with_values
from presets.fields import Value
from presets.schema import DataConfig, RunConfig
from runs.folder import create_run
from runs.launch import child_environment
from runs.records import last_records

NUM_SPECIAL = 5
WINDOW = 5  # steps of one recorded speed
WARM_UP = 2  # windows that do not count
PLANNED_STEPS = 3000  # what schedules and train.compile=auto go by; the measurement ends long before
_CORPUS_WORDS = 600_000
_FIRST_WINDOW_S = 150.0  # a compiled step takes half a minute to come
_POLL_S = 0.2


class Size(NamedTuple):
    """A model and its batch. precision: of our engine; the peer is measured in both."""

    layers: int
    heads: int
    hidden: int
    vocabulary: int = 10_005
    batch: int = 32
    length: int = 128
    precision: str = "auto"

    def __str__(self) -> str:
        return f"{self.layers}/{self.heads}/{self.hidden}, {self.vocabulary:,}, {self.batch} × {self.length}"


NAMED_SIZES = {
    "2/2/4": Size(2, 2, 4),
    "4/4/8": Size(4, 4, 8),
    "6/8/16": Size(6, 8, 16),
    "hidden 128": Size(4, 4, 128, vocabulary=1000, batch=16, length=64),
    "hidden 384": Size(6, 6, 384, batch=16, precision="bf16"),
}


class Speed(NamedTuple):
    """Medians over the windows of one run."""

    tokens_per_second: float
    step_s: float
    data_s: float


def data_config(size: Size, folder: Path) -> DataConfig:
    """The corpus of a vocabulary, written where it is not there yet; each sequence is full, so nobody pads.

    Words follow Zipf's law, and each occurs in many documents, so that the vocabulary has exactly its size.
    """
    path = folder / f"corpus-{size.vocabulary}-{size.length}.jsonl"
    if not path.exists():
        draw = random.Random(size.vocabulary)
        words = [f"w{number}" for number in range(size.vocabulary - NUM_SPECIAL)]
        weights = list(itertools.accumulate(1.0 / (rank + 5) for rank in range(len(words))))
        count = (size.length - 2) * 64
        every = words * 6
        text_words = every + draw.choices(words, cum_weights=weights, k=_CORPUS_WORDS)
        documents = [text_words[first : first + count] for first in range(0, len(text_words) - count, count)]
        text = "".join(json.dumps({"text": " ".join(document)}) + "\n" for document in documents)
        path.write_text(text, encoding="utf-8")
    return DataConfig(
        source="files", dataset=str(path), tokenizer="word", vocab_size=size.vocabulary,
        sequence_length=size.length,
    )  # fmt: skip


def run_config(size: Size, folder: Path, **changes: Value) -> RunConfig:
    """The run of a size: default settings, few evaluations, and two threads."""
    values: dict[str, Value] = {
        "model.num_layers": size.layers,
        "model.num_heads": size.heads,
        "model.hidden_size": size.hidden,
        "train.batch_size": size.batch,
        "train.precision": size.precision,
        "train.max_steps": PLANNED_STEPS,
        "train.log_every": WINDOW,
        "train.eval_every": 10**6,
        "train.eval_rows": 32,
        "train.checkpoint_every": 10**6,
        "launch.device": "cpu",
        "launch.threads": threads(),
    }
    config = msgspec.structs.replace(RunConfig(), data=data_config(size, folder))
    return with_values(config, {**values, **{name.replace("__", "."): value for name, value in changes.items()}})


def threads() -> int:
    """What both sides get: this machine's processors, at most two."""
    return min(2, len(os.sched_getaffinity(0)))


@contextmanager
def workplace() -> Iterator[Path]:
    """A temporary folder for corpora, token caches and runs; the processes that are started look nowhere else."""
    with tempfile.TemporaryDirectory(prefix="tinytrain-bench-") as name:
        places = {"TINYTRAIN_CACHE": "cache", "TINYTRAIN_RUNS": "runs", "HF_HOME": "hf"}
        before = {variable: os.environ.get(variable) for variable in places}
        os.environ.update({variable: str(Path(name) / place) for variable, place in places.items()})
        try:
            yield Path(name)
        finally:
            for variable, value in before.items():
                os.environ.pop(variable, None)
                if value is not None:
                    os.environ[variable] = value


def call(module: str, **arguments: Any) -> dict[str, Any]:
    """What a function `measure(**arguments)` of one of our modules returns, run in a process of its own."""
    program = (
        "import importlib, json, sys; arguments = json.loads(sys.argv[2]); "
        "found = importlib.import_module(sys.argv[1]).measure(**arguments); "
        "print('\\nresult ' + json.dumps(found))"
    )
    argv = [sys.executable, "-c", program, module, json.dumps(arguments)]
    root = Path(__file__).resolve().parent.parent.parent
    done = subprocess.run(argv, capture_output=True, env=child_environment(), cwd=root)
    for line in reversed(done.stdout.decode().splitlines()):
        if line.startswith("result "):
            found: dict[str, Any] = json.loads(line.removeprefix("result "))
            return found
    raise RuntimeError(f"{module} with {arguments} gave nothing:\n{done.stderr.decode()[-3000:]}")


def build_cache(size: Size, folder: Path) -> None:
    """Start the engine once, so that no measured process builds its token cache."""
    engine_speed(size, folder, 0.0, train__compile="off")


def engine_speed(size: Size, folder: Path, seconds: float, **changes: Value) -> Speed:
    """Run the engine itself, `python -m engine`, until it has trained so long; it is stopped by SIGTERM.

    Raises RuntimeError with its last words when it ends before.
    """
    run = create_run(folder / "runs", run_config(size, folder, **changes), preset="bench")
    attempt = run.attempt(1)
    attempt.path.mkdir(parents=True)
    argv = [sys.executable, "-m", "engine", str(run.path), "--attempt", "1"]
    with (folder / "console.log").open("wb") as console:
        process = subprocess.Popen(argv, stdout=console, stderr=console, env=child_environment())
        try:
            records = _await_windows(process, attempt.metrics_file, seconds)
        except RuntimeError as error:
            raise RuntimeError(f"{error}\n{(folder / 'console.log').read_text()[-3000:]}") from error
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
    return Speed(*(
        statistics.median(record[name] for record in records[WARM_UP:])
        for name in ("tokens_per_second", "step_time_s", "data_time_s")
    ))  # fmt: skip


def _await_windows(process: subprocess.Popen[bytes], metrics: Path, seconds: float) -> list[Mapping[str, Any]]:
    started, first_seen = time.monotonic(), 0.0
    while True:
        time.sleep(_POLL_S)
        if process.poll() is not None:
            raise RuntimeError(f"the engine ended with {process.returncode}")
        now = time.monotonic()
        if not first_seen and now - started > _FIRST_WINDOW_S:
            raise RuntimeError(f"the engine made no {WINDOW} steps in {_FIRST_WINDOW_S:.0f} s")
        if first_seen and now - first_seen < seconds:
            continue
        records = [record for record in last_records(metrics, 1 << 26) if "step_time_s" in record]
        if records and not first_seen:
            first_seen = now
        if first_seen and now - first_seen >= seconds and len(records) > WARM_UP + 2:
            return records
