"""A step of the engine beside the bare sum of the kernels it cannot avoid, timed one by one (`kernels.py`)."""

from __future__ import annotations

import argparse
import statistics

from tests.benchmarks.engine_runs import NAMED_SIZES, build_cache, call, engine_speed, workplace

BAR = 1.3


def main() -> None:
    """Print milliseconds of each kind of kernel, of the step, and the ratio; `--quick`: one round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--only", default="")
    options, _ = parser.parse_known_args()
    with workplace() as folder:
        for name, size in NAMED_SIZES.items():
            if options.only not in name:
                continue
            precision = "bf16" if size.precision == "bf16" else "fp32"
            build_cache(size, folder)
            steps, kernels = [], []
            for _ in range(1 if options.quick else 3):
                steps.append(1e3 * engine_speed(size, folder, options.seconds).step_s)
                kernels.append(call("tests.benchmarks.kernels", size=size, precision=precision))
            single = [step / sum(found.values()) for step, found in zip(steps, kernels, strict=True)]
            parts = {kind: statistics.median(found[kind] for found in kernels) for kind in kernels[0]}
            print(f"{name} ({precision}): " + ", ".join(f"{kind} {ms:.1f}" for kind, ms in parts.items()))
            print(
                f"    sum of kernels {sum(parts.values()):.1f} ms, step {statistics.median(steps):.1f} ms: "
                f"{statistics.median(steps) / sum(parts.values()):.2f}× ({min(single):.2f} – {max(single):.2f}; "
                f"bar {BAR}×)",
                flush=True,
            )


if __name__ == "__main__":
    main()
