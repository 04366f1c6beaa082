"""From `runs.launch.start` to the first step with a warm token cache, and where the seconds go."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from presets.catalog import find_preset
from presets.config import with_values
from runs import launch
from runs.folder import create_run
from runs.records import last_records
from runs.status import read_status
from tests.benchmarks.engine_runs import workplace

BAR_S = 10.0
_IMPORTS = ("torch", "torch, tokenizers, numpy", "engine.trainer")
_LIMIT_S = 180.0


def main() -> None:
    """Print seconds; the first start, which builds the cache, does not count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--preset", default="quickstart")
    options, _ = parser.parse_known_args()
    with workplace() as folder:
        one_start(folder, options.preset)
        rounds = [one_start(folder, options.preset) for _ in range(2 if options.quick else 5)]
    print(f"{options.preset}: launch to the first step, seconds since the launch, medians of {len(rounds)}")
    for moment in rounds[0]:
        print(f"  {statistics.median(found[moment] for found in rounds):6.2f}  {moment}")
    print(f"  bar: {BAR_S:.0f} s, slowest start {max(found['first step'] for found in rounds):.2f} s")
    for names in _IMPORTS:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", f"import {names}"], check=True)
        print(f"  {time.perf_counter() - started:6.2f}  of a process that imports {names}")


def one_start(folder: Path, preset: str) -> dict[str, float]:
    """Seconds since the launch of each moment, in their order. Raises RuntimeError when there is no first step."""
    config = with_values(find_preset(preset).config, {"train.log_every": 1, "train.max_steps": 20_000})
    run = create_run(folder / "runs", config, preset=preset)
    launched = time.time()
    launch.start(run)
    moments = {"supervisor is up": time.time() - launched}
    attempt = run.attempt(1)
    try:
        steps: list[dict[str, Any]] = []
        while not steps:
            time.sleep(0.05)
            if time.time() - launched > _LIMIT_S or not read_status(run).is_live:
                raise RuntimeError(f"no first step: {attempt.console_file.read_text()[-2000:]}")
            steps = [record for record in last_records(attempt.metrics_file) if record.get("step") == 1]
    finally:
        if read_status(run).is_live:
            launch.kill(run)
        while read_status(run).is_live:
            time.sleep(0.05)
    names = {
        "attempt_started": "data are open, the model is built",
        "baselines": "baselines are measured",
        "evaluated": "first evaluation",
        "probed": "first probes",
    }
    for event in last_records(attempt.events_file):
        kind = event.get("kind", "")
        if kind in names and names[kind] not in moments:
            moments[names[kind]] = event["time"] - launched
    moments["first step"] = steps[0]["time"] - launched
    return moments


if __name__ == "__main__":
    main()
