"""What a chart costs in the feed thread: reducing a series, and drawing it with plotext, by pane size."""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable

from runs.series import Series
from tui.widgets.chart_picture import ChartSpec, Palette, draw

PALETTE = Palette((80, 160, 250), (40, 70, 110), (250, 170, 60), (110, 110, 110), (130, 130, 130))


def milliseconds(action: Callable[[], object], trials: int = 15) -> str:
    """Fastest and median."""
    times = []
    for _ in range(trials):
        started = time.perf_counter()
        action()
        times.append((time.perf_counter() - started) * 1e3)
    return f"min {min(times):.2f} median {statistics.median(times):.2f} ms"


def main() -> None:
    """Print milliseconds."""
    noise = random.Random(0)
    long, short, evaluated, worst = Series(), Series(), Series(), Series()
    for index in range(1_000_000):
        long.append(index, 5 + 3 * math.exp(-index / 1e5) + 0.2 * noise.random())
    for index in range(200):
        short.append(index * 5000, 5 + 3 * math.exp(-index / 20) + 0.2 * noise.random())
        worst.append(index * 5000, 5 + noise.random())
    for index in range(20):
        evaluated.append(index * 50_000, 5.0)
    for buckets in (100, 200, 400):
        print(f"reduce 1,000,000 points to {buckets}: {milliseconds(lambda: long.reduce(0, 1e6, buckets))}")  # noqa: B023
    loss = ChartSpec("loss", "val_loss", True, (("unigram", 5.4),), best=(900_000, 5.0), total_steps=1_000_000)
    trace = ChartSpec("loss", total_steps=1_000_000, from_zero=True)
    for width, height, spec in ((24, 7, trace), (70, 25, loss), (100, 30, loss), (150, 45, loss)):
        for name, series in (("1,000,000", long), ("200", short), ("200 purely random", worst)):
            data = {"loss": series, "val_loss": evaluated}
            cost = milliseconds(lambda: draw(spec, data, width, height, PALETTE))  # noqa: B023
            print(f"draw {width}x{height} of {name} points: {cost}")


if __name__ == "__main__":
    main()
