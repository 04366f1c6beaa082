"""Peak bytes of tensors while training, beside parameters, gradients, optimizer and one micro-batch's activations.

Torch's profiler hears every allocation and release of the CPU allocator from before the model is built, so its
running total counts all tensors of the process, also those inside backward passes, and nothing that is mapped from
files. The activations that a pass must keep are counted from the sizes, not measured, so that waste shows.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from tests.benchmarks.engine_runs import NAMED_SIZES, Size, call, run_config, threads, workplace

BAR = 1.2
_STEPS = 4


def main() -> None:
    """Print megabytes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the same: counting bytes needs no rounds")
    parser.add_argument("--only", default="")
    options, _ = parser.parse_known_args()
    print(f"{'MB':<12}{'parameters':>12}{'gradients':>11}{'optimizer':>11}{'kept':>9}{'logits':>9}", end="")
    print(f"{'sum':>9}{'data':>8}{'before':>9}{'steps':>9}{'ratio':>7}{'peak':>9}{'ratio':>7}  bar {BAR:g}×")
    with workplace() as folder:
        for name, size in NAMED_SIZES.items():
            if options.only not in name:
                continue
            call("tests.benchmarks.bench_memory", size=size, folder=str(folder))  # builds the token cache
            found = call("tests.benchmarks.bench_memory", size=size, folder=str(folder))
            parts = [found["parameters"], found["parameters"], 2 * found["parameters"], *activations(size)]
            line = "".join(
                f"{figure / 1e6:>{width}.2f}"
                for figure, width in zip(
                    (*parts, sum(parts), found["data"], found["before"]), (12, 11, 11, 9, 9, 9, 8, 9), strict=True
                )
            )
            for peak in (found["in_steps"] - found["data"], found["peak"] - found["data"]):
                line += f"{peak / 1e6:>9.2f}{peak / sum(parts):>7.2f}"
            print(f"{name:<12}{line}", flush=True)


def activations(size: Size) -> tuple[int, int]:
    """Bytes that a forward pass keeps for its backward pass, and of the logits with their gradient.

    A token of a block: its input, both normed copies, query, key and value, the mixed values, the stream between
    the parts: 8 hidden; and the feed-forward part's inner values before and after the activation: 8 hidden. In
    bf16 the stream (2) is fp32 and the rest half of it; written-out attention keeps its weights. Of the logits, a
    chunk of 64 predictions at hidden sizes up to 64, else all in fp32 and their gradient.
    """
    rows, width = size.batch * size.length, 2 if size.precision == "bf16" else 4
    predicted = size.batch * round((size.length - 2) * 0.15)
    block = rows * size.hidden * (2 * 4 + 14 * width)
    if width == 2:
        block += size.batch * size.heads * size.length**2 * width
    kept = size.layers * block + rows * size.hidden * 4 + 2 * predicted * size.hidden * 4
    logits = 2 * 4 * size.vocabulary * (64 if size.hidden <= 64 else predicted)
    return kept, logits


def measure(size: list[Any], folder: str) -> dict[str, float]:
    """Bytes: of parameters, sequence tables (data), before the first step, at the peak in steps and over all."""
    import torch

    from engine.trainer import Trainer
    from runs.folder import create_run
    from tests.tiny import prepare_attempt

    torch.set_num_threads(threads())
    # both are set by the settings, not by training: they are left out of the count
    config = run_config(Size(*size), Path(folder), train__max_steps=_STEPS, train__compile="off", probes__texts=())
    run = create_run(Path(folder) / "runs", config, preset="bench")
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profiler:
        prepared, world, recorder, stop = prepare_attempt(run)
        Trainer._evaluate = torch.profiler.record_function("evaluation")(Trainer._evaluate)  # type: ignore[method-assign]
        trainer = Trainer(prepared, world, recorder, stop)
        with torch.profiler.record_function("before the first step"):
            pass
        trainer.train()
    trace = Path(folder) / "trace.json"
    profiler.export_chrome_trace(str(trace))
    events = json.loads(trace.read_text())["traceEvents"]
    trace.unlink()
    mark = next(event["ts"] for event in events if event.get("name") == "before the first step")
    totals = [
        (event["ts"], event["args"]["Total Allocated"]) for event in events if event.get("name") == "[memory]"
    ]
    totals.sort()
    before = [total for moment, total in totals if moment < mark]
    evaluations = [
        (event["ts"], event["ts"] + event["dur"])
        for event in events
        if event.get("name") == "evaluation" and "dur" in event
    ]
    stores = (prepared.train, prepared.validation)
    return {
        "parameters": sum(4 * parameter.numel() for parameter in prepared.model.parameters()),
        "data": sum(2 * 8 * len(store) for store in stores) + 8 * prepared.samples.order.num_samples,
        "before": before[-1],
        "in_steps": max(
            total
            for moment, total in totals
            if moment >= mark and not any(start <= moment <= end for start, end in evaluations)
        ),
        "peak": max(total for moment, total in totals if moment >= mark),
    }


if __name__ == "__main__":
    main()
