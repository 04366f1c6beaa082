"""The curves of several runs over each other: which lines, which guides, and what each reads at the crosshair."""

from __future__ import annotations

from dataclasses import dataclass, field

from runs.reader import RunSnapshot
from tui.charts.spec import ChartSpec, Line, Palette
from tui.charts.view import ChartView
from tui.compare_rows import LETTERS
from tui.run_charts import epoch_steps

_BANDS = 2  # of more curves, what was recorded behind the smoothed lines would cover the others
_STYLES = ("solid", "dashed")
_NUM_COLOURS = 8
_ROUNDED = 1 + 1e-9


@dataclass(frozen=True)
class WantedCurves:
    """What there is room for, and how a person looks at it. hidden: ids of runs whose curves are not drawn.

    redraw_s: at least between two pictures of runs that record all the time.
    """

    metric: str = "loss"
    width: int = 0
    height: int = 0
    palette: Palette | None = None
    view: ChartView = field(default_factory=ChartView)
    hidden: frozenset[str] = frozenset()
    legend: bool = False
    redraw_s: float = 0.5


def spec_of(snapshots: tuple[RunSnapshot, ...], wanted: WantedCurves) -> ChartSpec:
    """A line for each run that recorded the metric, known by its letter and its colour, or its dashes."""
    metric = wanted.metric
    lines: list[Line] = []
    is_evaluated = metric.startswith("val_")
    num_shown = sum(snapshot.folder.id not in wanted.hidden for snapshot in snapshots)
    for place, snapshot in enumerate(snapshots):
        series = snapshot.series.get(metric)
        if series is None or not len(series) or snapshot.folder.id in wanted.hidden:
            continue
        lines.append(
            Line(
                series,
                label=snapshot.about.name,
                colour=place % _NUM_COLOURS,
                style=_STYLES[place // _NUM_COLOURS % len(_STYLES)],
                band=num_shown <= _BANDS,
                smoothed=metric == "loss",
                steady=is_evaluated,
                sign=LETTERS[place % len(LETTERS)],
                epoch_steps=epoch_steps(snapshot),
            )
        )
    words = (
        "no run is shown: space shows its curve" if snapshots and not num_shown else "none of them recorded this"
    )
    return ChartSpec(
        lines=tuple(lines),
        guides=_guides(snapshots) if metric in ("loss", "val_loss") else (),
        total_steps=max((snapshot.total_steps for snapshot in snapshots), default=0),
        first_step=min((snapshot.first_step for snapshot in snapshots), default=0),
        legend=wanted.legend and len(lines) > 1,
        empty=words,
    )


def _guides(snapshots: tuple[RunSnapshot, ...]) -> tuple[tuple[str, float], ...]:
    """What knowing word frequency alone scores, and the floor, where that is the same for all of them."""
    found = {
        (one.baselines.unigram_loss, one.baselines.floor_loss) if one.baselines is not None else None
        for one in snapshots
    }
    shared = next(iter(found)) if len(found) == 1 else None
    if shared is None:
        return ()
    floor = (("floor", shared[1]),) if shared[1] is not None else ()
    return (*floor, ("unigram", shared[0]))


def values_at(snapshots: tuple[RunSnapshot, ...], metric: str, view: ChartView) -> tuple[float | None, ...]:
    """The metric of each run at the crosshair, where it had not ended yet; the newest without a crosshair."""
    values: list[float | None] = []
    for snapshot in snapshots:
        series = snapshot.series.get(metric)
        if series is None or not len(series):
            values.append(None)
        elif view.cursor is None:
            values.append(series.last())
        else:
            line = Line(series, epoch_steps=epoch_steps(snapshot))
            bounds, found = line.bounds(view.x), line.value_at(view.cursor, view.x)
            is_past = bounds is None or view.cursor > bounds[1] * _ROUNDED
            values.append(None if found is None or is_past else found[1])
    return tuple(values)
