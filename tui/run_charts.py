"""Which charts a run has: what each draws of a snapshot, and what its title says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rich.cells import cell_len

from runs.events import ControlAnswered
from runs.reader import RunSnapshot
from runs.series import Series
from tui.axes import short_number
from tui.charts.curves import decay_of
from tui.charts.frame import place_words
from tui.charts.spec import ChartSpec, Line, Mark
from tui.charts.view import ChartView
from tui.safe_text import both_ends, safe_text

GAP = "gap"
RANKS = "ranks"
_RANK = re.compile(r"step_time_s_rank(\d{1,5})")
_EVALUATED = "val_"
_MOST_RANKS = 8  # lines that can be told apart
_GIGA = 1e-9
_TITLE = 40


@dataclass(frozen=True)
class RunChart:
    """A chart of the Monitor. name: by which it is remembered. parts: metrics and what each is called in it.

    factor: from recorded values to the unit in the title. digits: decimals in the title, None for short numbers.
    """

    name: str
    title: str
    parts: tuple[tuple[str, str], ...]
    factor: float = 1.0
    digits: int | None = None
    from_zero: bool = True
    smoothed: bool = False


_DEEDS = {
    "evaluate": "evaluated", "checkpoint": "checkpoint", "probe": "probed", "pause": "paused", "stop": "stopped",
}  # fmt: skip

CHARTS = (
    RunChart("loss", "loss (nats)", (("loss", "train"), ("val_loss", "val")), digits=3, from_zero=False,
             smoothed=True),
    RunChart("lr", "lr", (("lr", ""),)),
    RunChart("grad_norm", "grad norm", (("grad_norm", ""),)),
    RunChart("tokens_per_second", "tok/s", (("tokens_per_second", ""),)),
    RunChart("val_accuracy", "accuracy", (("val_accuracy", ""),), digits=3),
    RunChart(GAP, "gap (nats)", ((GAP, ""),), digits=3, from_zero=False),
    RunChart("memory", "memory (GB)", (("memory_allocated_bytes", "held"), ("memory_peak_bytes", "peak"),
             ("host_memory_bytes", "host")), factor=_GIGA, digits=2),
    RunChart("step_time_s", "step time (s)", (("step_time_s", "step"), ("data_time_s", "data"))),
    RunChart(RANKS, "step time by rank (s)", ()),
    RunChart("val_perplexity", "perplexity", (("val_perplexity", ""),)),
    RunChart("val_bits_per_byte", "bits per byte", (("val_bits_per_byte", ""),), digits=3, from_zero=False),
    RunChart("samples_per_second", "samples/s", (("samples_per_second", ""),)),
)  # fmt: skip
_BY_NAME = {chart.name: chart for chart in CHARTS}
_IN_CHARTS = frozenset(metric for chart in CHARTS for metric, _ in chart.parts)


def chart_named(name: str) -> RunChart:
    """One of ours, or that of a recorded metric."""
    return _BY_NAME.get(name) or RunChart(name, both_ends(name.replace("_", " "), _TITLE), ((name, ""),))


def is_ours(name: str) -> bool:
    """It has words of its own; others are called as their metric is recorded."""
    return name in _BY_NAME


def charts_of(metrics: Iterable[str]) -> tuple[RunChart, ...]:
    """Every chart that a run with these metrics has: ours first, then one for each other metric."""
    names = set(metrics)
    ranks = {name for name in names if _RANK.fullmatch(name)}
    ours = [chart for chart in CHARTS if has_figures(chart, names)]
    others = sorted(names - _IN_CHARTS - ranks)
    return (*ours, *(chart_named(name) for name in others))


def has_figures(chart: RunChart, metrics: Iterable[str]) -> bool:
    """A run with these metrics has something for the chart."""
    names = set(metrics)
    if chart.name == GAP:
        return {"loss", "val_loss"} <= names
    if chart.name == RANKS:
        return any(_RANK.fullmatch(name) for name in names)
    return any(metric in names for metric, _ in chart.parts)


def spec_of(
    chart: RunChart, snapshot: RunSnapshot, series: Mapping[str, Series] | None = None, with_lr: bool = False
) -> ChartSpec:
    """What the chart draws now. series: those of the snapshot and what was made from them."""
    found = snapshot.series if series is None else series
    lines = _lines(chart, found, epoch_steps(snapshot))
    is_loss = chart.name == "loss"
    if is_loss and with_lr and len(found.get("lr", ())):
        lines.append(Line(found["lr"], "lr", 2, has_own_scale=True, epoch_steps=epoch_steps(snapshot)))
    return ChartSpec(
        lines=tuple(lines),
        guides=_guides(chart, snapshot),
        marks=marks_of(snapshot),
        best=_best(chart, lines, snapshot),
        total_steps=snapshot.total_steps,
        first_step=snapshot.first_step,
        from_zero=chart.from_zero,
        factor=chart.factor,
        empty=waiting_words(snapshot) if is_loss else _why_none(snapshot),
    )


def _lines(chart: RunChart, series: Mapping[str, Series], epoch: float) -> list[Line]:
    if chart.name == RANKS:
        ranks = sorted((int(found[1]), name) for name in series if (found := _RANK.fullmatch(name)))
        return [
            Line(series[name], f"rank {rank}", index, sign=str(rank)[-1], epoch_steps=epoch)
            for index, (rank, name) in enumerate(ranks[:_MOST_RANKS])
        ]
    lines = []
    for index, (metric, label) in enumerate(chart.parts):
        if metric not in series:
            continue
        is_evaluated = metric.startswith(_EVALUATED) or metric == GAP
        lines.append(
            Line(
                series[metric], label, index, style=("solid", "dashed", "dotted")[index % 3] if index else "solid",
                band=chart.smoothed and not is_evaluated, smoothed=chart.smoothed and not is_evaluated,
                steady=is_evaluated, markers="◆" if is_evaluated else "", epoch_steps=epoch,
            )
        )  # fmt: skip
    return lines


def epoch_steps(snapshot: RunSnapshot) -> float:
    """Steps in which every training row is seen once; 0 where that is not known."""
    started, config = snapshot.started, snapshot.config
    if started is None or config is None:
        return 0.0
    train, launch = config.train, config.launch
    rows = train.batch_size * train.accumulation_steps * launch.num_processes * launch.num_nodes
    return started.train_rows / rows if rows > 0 else 0.0


def _guides(chart: RunChart, snapshot: RunSnapshot) -> tuple[tuple[str, float], ...]:
    baselines = snapshot.baselines
    if baselines is None:
        return ()
    if chart.name == "val_accuracy":
        return (("unigram", baselines.unigram_accuracy),) if baselines.unigram_accuracy else ()
    if chart.name != "loss":
        return ()
    guides = (("unigram", baselines.unigram_loss), ("uniform", baselines.uniform_loss))
    return guides if baselines.floor_loss is None else (("floor", baselines.floor_loss), *guides)


def _best(chart: RunChart, lines: list[Line], snapshot: RunSnapshot) -> tuple[int, float] | None:
    """Where the best checkpoint is on a chart of what is evaluated with it; on others it would say nothing."""
    step = snapshot.best_step
    if step is None or snapshot.best_loss is None:
        return None
    if chart.name == "loss":
        return step, snapshot.best_loss
    if not chart.parts or not chart.parts[0][0].startswith(_EVALUATED):
        return None
    found = lines[0].value_at(step, "step") if lines else None
    return (step, found[1]) if found is not None and found[1] == found[1] else None


def marks_of(snapshot: RunSnapshot) -> tuple[Mark, ...]:
    """What somebody did to the run while it trained, and where it was forked or resumed: one mark a step."""
    done: dict[int, list[str]] = {}
    for control in snapshot.controls:
        done.setdefault(control.step, []).append(_deed(control))
    for step in snapshot.splices:
        done.setdefault(step, []).append(splice_words(snapshot, step))
    return tuple(Mark(step, ", ".join(dict.fromkeys(words))) for step, words in sorted(done.items()))


def splice_words(snapshot: RunSnapshot, step: int) -> str:
    """What stands at a step at which an attempt went on."""
    return "forked" if step == snapshot.first_step > 0 else "resumed"


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


def _why_none(snapshot: RunSnapshot) -> str:
    return "no figures yet" if snapshot.status.is_live else "it recorded none"


def title_of(chart: RunChart, snapshot: RunSnapshot, spec: ChartSpec, view: ChartView, width: int = 1000) -> str:
    """The pane's title: the quantity, its unit, and its newest values, or those under the crosshair.

    In few cells, what is said elsewhere too is left out: first the signs, then the place, then what each line is.
    """
    lines = [line for line in spec.lines if not line.has_own_scale]
    values = [value_words(chart, line, view) for line in lines]
    signs = [line.markers or _DASH_SIGNS[line.style] for line in lines]
    names = [f"{sign} {line.label}" if line.label else sign for sign, line in zip(signs, lines, strict=True)]
    if len(lines) < 2:
        signs = names = [""] * len(lines)
    named = [f"{name} {value}".strip() for name, value in zip(names, values, strict=True) if name or value]
    signed = [f"{sign} {value}".strip() for sign, value in zip(signs, values, strict=True) if value]
    gap = "  " if len(lines) > 1 else " "
    if view.cursor is not None:
        place = place_words(view.cursor, view.x)
        choices = [[f"{chart.title} @ {place}", *named], [f"{chart.title} @", *named]]
    else:
        extras = _loss_signs(snapshot, lines, spec, view) if chart.name == "loss" else []
        choices = [[chart.title, *named, *extras[:left]] for left in range(len(extras), -1, -1)]
    at = " @" if view.cursor is not None else ""
    name = chart.title.partition(" (")[0]
    choices += [[chart.title + at, *signed], [name + at, *signed], [name, *signed], [name + at, *signed[:1]]]
    titles = [gap.join(filter(None, parts)) for parts in choices]
    return next((title for title in titles if cell_len(title) <= width), both_ends(titles[-1], width))


_DASH_SIGNS = {"solid": "━", "dashed": "╍", "dotted": "┉", "long": "╾"}


def _loss_signs(snapshot: RunSnapshot, lines: list[Line], spec: ChartSpec, view: ChartView) -> list[str]:
    """What else is to be seen on the loss chart."""
    parts = []
    if lines and lines[0].label == "train":
        decay = decay_of(lines[0], view)
        parts += [f"ema {decay:g}"] if decay else []
        parts += [f"{lines[0].series.num_gaps} not finite"] if lines[0].series.num_gaps else []
    parts += ["★ best"] if snapshot.best_loss is not None else []
    parts += ["▼ asked"] if snapshot.controls else []
    if snapshot.baselines is not None and snapshot.baselines.floor_loss is not None:
        parts.append(f"floor {snapshot.baselines.floor_loss:.3f}")
    return [*parts, *("┉ lr" for line in spec.lines if line.has_own_scale)]


def value_words(chart: RunChart, line: Line, view: ChartView) -> str:
    """The newest value of a line, or the one under the crosshair."""
    if view.cursor is not None:
        found = line.value_at(view.cursor, view.x)
        value = found[1] if found is not None else None
    else:
        value = line.series.last()
    if value is None:
        return "–" if view.cursor is not None else ""
    if value != value:
        return "not finite"
    value *= chart.factor
    return short_number(value) if chart.digits is None else f"{value:.{chart.digits}f}"
