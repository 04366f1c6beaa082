"""What a chart costs in the feed thread: reducing a series, and drawing it, by pane size and number of points."""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable

from runs.series import Series
from tui.charts.crosshair import with_cursor
from tui.charts.palette import WITHOUT_COLOUR
from tui.charts.picture import ChartSpec, Line, draw
from tui.charts.view import ChartView


def milliseconds(action: Callable[[], object], trials: int = 15) -> str:
    """Fastest and median."""
    times = []
    for _ in range(trials):
        started = time.perf_counter()
        action()
        times.append((time.perf_counter() - started) * 1e3)
    return f"min {min(times):.2f} median {statistics.median(times):.2f} ms"


def loss_of(num_points: int) -> ChartSpec:
    """A noisy loss with evaluations and the learning rate over it."""
    noise = random.Random(0)
    loss, evaluated, rate = Series(), Series(), Series()
    for index in range(num_points):
        share = index / num_points
        loss.append(index, 5 + 3 * math.exp(-10 * share) + 0.2 * noise.random(), tokens=index * 4096.0)
        rate.append(index, 1e-3 * (1 - share), tokens=index * 4096.0)
    for index in range(0, num_points, max(1, num_points // 20)):
        evaluated.append(index, 5.0, tokens=index * 4096.0)
    lines = (
        Line(loss, "train", band=True, smoothed=True), Line(evaluated, "val", 1, markers="◆", steady=True),
        Line(rate, "lr", 2, has_own_scale=True),
    )  # fmt: skip
    return ChartSpec(lines, (("unigram", 5.4),), best=(num_points // 2, 5.0), total_steps=num_points)


def main() -> None:
    """Print milliseconds."""
    specs = {num: loss_of(num) for num in (200, 100_000, 1_000_000)}
    long = specs[1_000_000].lines[0].series
    for buckets in (100, 200, 400):
        print(f"reduce 1,000,000 points to {buckets}: {milliseconds(lambda: long.reduce(0, 1e6, buckets))}")  # noqa: B023
    for width, height in ((24, 7), (70, 25), (100, 30), (150, 45)):
        for num, spec in specs.items():
            for view in (ChartView(), ChartView(x="tokens", log_y=True)):
                cost = milliseconds(lambda: draw(spec, view, width, height, WITHOUT_COLOUR))  # noqa: B023
                print(f"draw {width}x{height}, three lines of {num:,} points, along {view.x}: {cost}")
        picture = draw(specs[200], ChartView(), width, height, WITHOUT_COLOUR)
        print(f"move the crosshair {width}x{height}: {milliseconds(lambda: with_cursor(picture, 77.0))}")  # noqa: B023


if __name__ == "__main__":
    main()
