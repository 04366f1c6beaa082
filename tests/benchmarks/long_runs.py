"""Run folders with as many points as one likes, written in a moment; and a live run that goes on until told."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from runs.folder import RunFolder
from runs.records import seal
from tests.run_writer import AttemptWriter, Supervision, finished_run, new_run

BEGAN = 1_760_000_000.0
STEP_S = 0.05
_FIRST = ("loss", "lr", "grad_norm", "tokens_per_second", "step_time_s", "memory_allocated_bytes")


def metric_names(num_metrics: int) -> tuple[str, ...]:
    """What our runs record first, then made-up ones."""
    return (*_FIRST, *(f"metric_{number:03}" for number in range(num_metrics)))[:num_metrics]


def write_run(runs: Path, name: str, num_metrics: int, num_records: int) -> RunFolder:
    """A run that ended, each metric with that many points; evaluated and probed now and then."""
    folder = new_run(runs, name, max_steps=num_records)
    writer = AttemptWriter(folder, clock=BEGAN)
    writer.start(total_steps=num_records)
    with writer.attempt.metrics_file.open("ab") as file:
        for line in lines(num_metrics, 1, num_records + 1):
            file.write(line)
    writer.step = num_records
    writer.clock = BEGAN + num_records * STEP_S
    writer.probe()
    writer.end("finished", "all steps done")
    return folder


def lines(num_metrics: int, start: int, stop: int, seed: int = 0) -> Iterator[bytes]:
    """Sealed records of the steps [start, stop), noisy and slowly falling, as they stand in a metrics file."""
    names = metric_names(num_metrics)
    chance = random.Random(seed)
    template = "".join(f',"{name}":%.6f' for name in names)
    for step in range(start, stop):
        noise = chance.random()
        values = tuple((2.0 + index + noise + 3.0 / (1 + step / 2000)) for index in range(len(names)))
        elapsed_s = step * STEP_S
        head = f'{{"step":{step},"time":{BEGAN + elapsed_s:.3f},"elapsed_s":{elapsed_s:.3f},"tokens":{step * 4096}'
        yield seal(f'{head},"seq":{step}{template % values}}}'.encode())


def write_short_runs(runs: Path, number: int) -> None:
    """That many ended runs: one written by the usual way, its files copied under other names."""
    model = finished_run(runs, "run-0", steps=400)
    about = json.loads(model.about_file.read_text(encoding="utf-8"))
    files = [(path.relative_to(model.path), path.read_bytes()) for path in model.path.rglob("*") if path.is_file()]
    for index in range(1, number):
        path = runs / f"{model.id[:-4]}{index:04d}"
        for name, content in files:
            (path / name).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            (path / name).write_bytes(content)
        changed = {**about, "name": f"run-{index}", "created": about["created"] - index}
        (path / model.about_file.name).write_text(json.dumps(changed), encoding="utf-8")


def main() -> None:
    """Play a live run: `RUNS NAME NUM_METRICS RATE SECONDS` records RATE times a second; says ready, then when."""
    runs, name, num_metrics, rate, seconds = sys.argv[1:]
    folder = new_run(Path(runs), name, max_steps=1_000_000)
    supervision = Supervision(folder)
    supervision.state("running")
    writer = AttemptWriter(folder, clock=time.time())
    writer.start(total_steps=1_000_000)
    names = metric_names(int(num_metrics))
    chance = random.Random(0)
    period, began = 1 / float(rate), time.time()
    print("ready", flush=True)
    step = 0
    while (now := time.time()) - began < float(seconds):
        step += 1
        noise = chance.random()
        writer.metrics.write(
            {
                "step": step, "time": now, "elapsed_s": now - began, "tokens": step * 4096,
                **{one: 2 + index + noise + 3 / (1 + step / 50) for index, one in enumerate(names)},
            }
        )  # fmt: skip
        print(f"{step} {time.time()}", flush=True)
        time.sleep(max(0.0, began + step * period - time.time()))
    writer.end("stopped", "you stopped it")
    supervision.close()


if __name__ == "__main__":
    main()
