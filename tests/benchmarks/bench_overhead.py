"""What a step spends on anything but training: data and masks, recording, probes, and looking for requests.

The real trainer, in a process of its own, at the default intervals; evaluations and checkpoints are not steps.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from presets.fields import Value
from tests.benchmarks.engine_runs import NAMED_SIZES, Size, call, run_config, threads, workplace

BAR = 0.02
DEFAULT_INTERVALS: dict[str, Value] = {"train__log_every": 10, "train__max_steps": 200}


def main() -> None:
    """Print each part's share of a step; `--quick`: one round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="")
    options, _ = parser.parse_known_args()
    parts = ("data", "recording", "probes", "control")
    print(
        f"{'':<12}{'ms a step':>10}"
        + "".join(f"{part:>12}" for part in (*parts, "together"))
        + f"   bar {BAR:.0%}"
    )
    with workplace() as folder:
        for name, size in NAMED_SIZES.items():
            if options.only not in name:
                continue
            rounds = [
                call("tests.benchmarks.bench_overhead", size=size, folder=str(folder))
                for _ in range(1 if options.quick else 3)
            ]
            found = {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
            shares = [found[part] / found["step"] for part in parts]
            print(
                f"{name:<12}{1e3 * found['step']:>10.1f}"
                + "".join(f"{share:>12.2%}" for share in (*shares, sum(shares))),
                flush=True,
            )


def measure(size: list[Any], folder: str) -> dict[str, float]:
    """Seconds a step of each part and of the step itself."""
    import torch

    from engine.examiner import Examiner
    from engine.health import HealthWatch
    from engine.stopping import StopSignal
    from engine.trainer import Trainer
    from runs.folder import create_run
    from runs.records import last_records
    from tests.tiny import train

    torch.set_num_threads(threads())
    spent: dict[str, float] = defaultdict(float)
    for owner, name, part in (
        (Trainer, "_record", "recording"),
        (HealthWatch, "after_step", "recording"),
        (StopSignal, "poll", "control"),
        (Examiner, "probe", "probes"),
    ):
        setattr(owner, name, _timed(getattr(owner, name), part, spent))
    wanted = Size(*size)
    config = run_config(wanted, Path(folder), **DEFAULT_INTERVALS)
    run = create_run(Path(folder) / "runs", config, preset="bench")
    trainer, _ = train(run)
    records = [record for record in last_records(run.attempt(1).metrics_file, 1 << 26) if "step_time_s" in record]
    steps = trainer.state.step
    return {part: seconds / steps for part, seconds in spent.items()} | {
        "data": statistics.median(record["data_time_s"] for record in records),
        "step": statistics.median(record["step_time_s"] for record in records),
    }


def _timed(function: Callable[..., Any], part: str, spent: dict[str, float]) -> Callable[..., Any]:
    def timed(*args: Any, **keywords: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*args, **keywords)
        finally:
            spent[part] += time.perf_counter() - started

    return timed


if __name__ == "__main__":
    main()
