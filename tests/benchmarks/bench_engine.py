"""Training speed beside Hugging Face `Trainer` with `BertForMaskedLM` of the same sizes, and as sizes grow.

In turn on the same tokens and machine, each measurement in a process of its own; ours is `python -m engine` with
its recording and control. Both count with the better of fp32 and bf16, which the first round finds. The peer is
measured as `BertConfig` comes, with dropout 0.1, and without dropout as ours is by default. Rows are full: nobody
pads.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.benchmarks.engine_runs import NAMED_SIZES, Size, build_cache, call, engine_speed, workplace

TARGETS = {"2/2/4": 16.0, "4/4/8": 12.0, "6/8/16": 9.0, "hidden 128": 2.5, "hidden 384": 1.7}
_MIDDLE = Size(4, 4, 64)
SERIES: dict[str, Size] = (
    {f"batch {batch}": _MIDDLE._replace(batch=batch) for batch in (8, 32, 128)}
    | {f"length {length}": _MIDDLE._replace(length=length, batch=4096 // length) for length in (64, 128, 256, 512)}
    | {f"hidden {hidden} ": _MIDDLE._replace(hidden=hidden) for hidden in (16, 64, 128, 256)}
    | {f"vocabulary {words:,}": _MIDDLE._replace(vocabulary=words) for words in (1_000, 10_005, 30_000)}
)
_LEAST_BF16_HIDDEN = 64
_HEAD = (
    f"{'':<16}{'sizes':<28}{'ours':>15}{'peer':>15}{'no dropout':>15}"
    f"{'ratio':>9}{'from – to':>14}{'no drop.':>10}{'target':>9}"
)
Measure = Callable[[str], float]


def main() -> None:
    """Print the table. `--quick`: one short round of the five sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round of the five sizes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6.0, help="of training in each measurement")
    parser.add_argument("--only", default="", help="names that contain this")
    options, _ = parser.parse_known_args()
    if options.quick:
        options.rounds, options.seconds = 1, 3.0
    print("tokens/s: medians; ratio: of the medians, and of single rounds")
    print("size: layers/heads/hidden, vocabulary, batch × length")
    print(_HEAD)
    with workplace() as folder:
        for name, size in {**NAMED_SIZES, **({} if options.quick else SERIES)}.items():
            if options.only in name:
                compare(name, size, folder, options.rounds, options.seconds)


def compare(name: str, size: Size, folder: Path, num_rounds: int, seconds: float) -> None:
    """All sides in turn, in another order each round; one line of the table."""
    with_dropout: Measure = partial(_peer, size, folder, seconds, None)
    without: Measure = partial(_peer, size, folder, seconds, 0.0)
    build_cache(size, folder)
    sides: dict[str, Measure] = {
        "ours": partial(_ours, size, folder, seconds),
        "peer": with_dropout,
        "plain": without,
    }
    found: dict[str, list[float]] = {}
    precisions: dict[str, str] = {}
    for side, measure in sides.items():
        first = {precision: measure(precision) for precision in _precisions(size)}
        precisions[side] = max(first, key=lambda precision: first[precision])
        found[side] = [first[precisions[side]]]
    for number in range(1, num_rounds):
        for side in reversed(sides) if number % 2 else sides:
            found[side].append(sides[side](precisions[side]))
    medians = {side: statistics.median(speeds) for side, speeds in found.items()}
    single = [mine / its for mine, its in zip(found["ours"], found["peer"], strict=True)]
    shown = "".join(f"{medians[side]:>10,.0f} {precisions[side]}" for side in sides)
    print(
        f"{name:<16}{size!s:<28}{shown}{medians['ours'] / medians['peer']:>8.1f}×"
        f"{f'{min(single):.1f} – {max(single):.1f}':>14}{medians['ours'] / medians['plain']:>9.1f}×"
        f"{f'≥ {TARGETS[name]:g}×' if name in TARGETS else '':>9}",
        flush=True,
    )


def _precisions(size: Size) -> tuple[str, ...]:
    """bf16 is never the faster one of very small models; where nothing is known, both are measured."""
    return ("fp32",) if size.hidden < _LEAST_BF16_HIDDEN else ("fp32", "bf16")


def _ours(size: Size, folder: Path, seconds: float, precision: str) -> float:
    return engine_speed(size._replace(precision=precision), folder, seconds).tokens_per_second


def _peer(size: Size, folder: Path, seconds: float, dropout: float | None, precision: str) -> float:
    arguments = {
        "size": size,
        "folder": str(folder),
        "precision": precision,
        "seconds": seconds,
        "dropout": dropout,
    }
    return float(call("tests.benchmarks.peer_trainer", **arguments)["tokens_per_second"])


if __name__ == "__main__":
    main()
