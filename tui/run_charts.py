"""Which charts a run has: what each draws of a snapshot, and what its title says."""

from __future__ import annotations

from dataclasses import dataclass

from runs.events import ControlAnswered
from runs.reader import RunSnapshot
from tui.axes import short_number
from tui.safe_text import safe_text
from tui.widgets.chart_picture import ChartSpec, Mark, smoothing_for


@dataclass(frozen=True)
class RunChart:
    """A chart of the Monitor. metrics: the series whose growth makes it worth drawing again."""

    name: str
    title: str
    metrics: tuple[str, ...]


_DEEDS = {
    "evaluate": "evaluated", "checkpoint": "checkpoint", "probe": "probed", "pause": "paused", "stop": "stopped",
}  # fmt: skip

CHARTS = (
    RunChart("loss", "loss", ("loss", "val_loss")),
    RunChart("lr", "lr", ("lr",)),
    RunChart("grad_norm", "grad norm", ("grad_norm",)),
    RunChart("tokens_per_second", "tok/s", ("tokens_per_second",)),
)


def spec_of(chart: RunChart, snapshot: RunSnapshot) -> ChartSpec:
    """What the chart draws now."""
    if chart.name != "loss":
        return ChartSpec(chart.metrics[0], total_steps=snapshot.total_steps, from_zero=True)
    baselines = snapshot.baselines
    guides: tuple[tuple[str, float], ...] = ()
    if baselines:
        guides = (("unigram", baselines.unigram_loss), ("uniform", baselines.uniform_loss))
    if baselines and baselines.floor_loss is not None:
        guides = (("floor", baselines.floor_loss), *guides)
    best = None
    if snapshot.best_loss is not None and snapshot.best_step is not None:
        best = (snapshot.best_step, snapshot.best_loss)
    return ChartSpec(
        main="loss",
        second="val_loss",
        smoothed=True,
        guides=guides,
        marks=marks_of(snapshot),
        best=best,
        total_steps=snapshot.total_steps,
        empty=waiting_words(snapshot),
    )


def marks_of(snapshot: RunSnapshot) -> tuple[Mark, ...]:
    """What somebody did to the run while it trained, and where it was resumed: one mark a step."""
    done: dict[int, list[str]] = {}
    for control in snapshot.controls:
        done.setdefault(control.step, []).append(_deed(control))
    for step in snapshot.splices:
        done.setdefault(step, []).append("resumed")
    return tuple(Mark(step, ", ".join(dict.fromkeys(words))) for step, words in sorted(done.items()))


def _deed(control: ControlAnswered) -> str:
    value = safe_text(control.value, 20)
    if control.verb == "lr":
        return f"lr {value.replace('x', '×')}"
    if control.verb == "steps":
        return f"{value} steps"
    return _DEEDS.get(control.verb, safe_text(control.verb, 20))


def waiting_words(snapshot: RunSnapshot) -> str:
    """What a run without a first loss is doing."""
    if snapshot.phase is not None:
        return f"{safe_text(snapshot.phase.phase, 60)} …"
    if snapshot.status.state == "queued":
        return "waiting for its turn"
    if not snapshot.status.is_live:
        return "it recorded no loss"
    every = snapshot.config.train.log_every if snapshot.config else 0
    if snapshot.started is not None and every:
        return f"the first loss comes after step {snapshot.step + every}"
    return "getting ready"


def title_of(chart: RunChart, snapshot: RunSnapshot) -> str:
    """The pane's title: the quantity, its unit, its newest value."""
    series = snapshot.series.get(chart.metrics[0])
    if chart.name == "loss":
        return _loss_title(snapshot)
    newest = _newest(snapshot, chart.metrics[0])
    return f"{chart.title} {newest}" if series is not None else chart.title


def _loss_title(snapshot: RunSnapshot) -> str:
    series = snapshot.series.get("loss")
    parts = ["loss (nats)"]
    if series is not None:
        decay = smoothing_for(len(series))
        parts.append(f"━ train {_newest(snapshot, 'loss')}" + (f" ema {decay}" if decay else ""))
        if series.num_gaps:
            parts.append(f"{series.num_gaps} not finite")
    if snapshot.last_val_loss is not None:
        parts.append(f"◆ val {snapshot.last_val_loss:.3f}")
    if snapshot.best_loss is not None:
        parts.append("★ best")
    if snapshot.controls:
        parts.append("▼ asked")
    if snapshot.baselines is not None and snapshot.baselines.floor_loss is not None:
        parts.append(f"floor {snapshot.baselines.floor_loss:.3f}")
    return "  ".join(parts)


def _newest(snapshot: RunSnapshot, metric: str) -> str:
    series = snapshot.series.get(metric)
    value = series.last() if series is not None else None
    if value is None:
        return ""
    if value != value:
        return "not finite"
    return f"{value:.3f}" if metric == "loss" else short_number(value)
