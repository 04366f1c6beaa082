"""What can be asked of a run in a list: each field by name, with its value, its words and its column's width."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal

from presets.fields import Value, format_value
from presets.schema import FIELD_BY_PATH
from runs.clock import local_time
from runs.run_summary import RunSummary
from tui.figures import elapsed, num_bytes, short_duration

Kind = Literal["text", "number", "duration", "bytes", "time"]
Got = float | str | None

_METRIC = "metric."
_LOSS_DIGITS = 3


@dataclass(frozen=True)
class RunField:
    """A field of a run. value: a number or a text; None where the run has none. width: of its column, in cells."""

    key: str
    label: str
    kind: Kind
    value: Callable[[RunSummary], Got]
    width: int
    help: str

    def text(self, row: RunSummary) -> str:
        """The value as a list shows it; `–` where there is none. Not safe to show: it may be anybody's words."""
        return words_of(self.value(row), self.kind)


def words_of(value: Got, kind: Kind) -> str:
    """A value in a few characters, with its unit."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if kind == "duration":
        return elapsed(value)
    if kind == "bytes":
        return num_bytes(value)
    if kind == "time":
        return local_time(value, "%d %b %H:%M")
    if abs(value) < 1e15 and value == int(value):
        return f"{value:,.0f}"
    return f"{value:.{_LOSS_DIGITS}f}" if 1e-2 <= abs(value) < 1e4 else f"{value:.3g}"


def _made(row: RunSummary) -> float | None:
    return row.created or None


def _done(row: RunSummary) -> float | None:
    return 100.0 * row.step / row.total_steps if row.total_steps else None


_BUILT_IN = (
    RunField("state", "state", "text", lambda r: r.status.state, 10, "queued, running, finished, failed …"),
    RunField("name", "name", "text", lambda r: r.name, 16, "what you call it"),
    RunField("id", "id", "text", lambda r: r.id, 32, "its folder's name"),
    RunField("preset", "preset", "text", lambda r: r.preset, 14, "where its settings came from"),
    RunField("data", "data", "text", lambda r: re.sub(r" \((embedded|hub)\)$", "", r.dataset), 14, "its corpus"),
    RunField("tag", "tags", "text", lambda r: " ".join(r.tags), 14, "your tags"),
    RunField("note", "note", "text", lambda r: r.note, 24, "your note"),
    RunField("group", "group", "text", lambda r: r.group, 14, "your own heading"),
    RunField("sweep", "sweep", "text", lambda r: r.sweep, 14, "the sweep it belongs to"),
    RunField("fork", "forked from", "text", lambda r: r.forked_from, 24, "run and checkpoint that it began with"),
    RunField("cause", "cause", "text", lambda r: r.root_cause or r.remark, 30, "why it failed, or what is amiss"),
    RunField("best", "best", "number", lambda r: r.best_loss, 7, "best validation loss, nats"),
    RunField("last", "last", "number", lambda r: r.last_loss, 7, "last validation loss, nats"),
    RunField("best_step", "best at", "number", lambda r: r.best_step, 9, "step of the best validation loss"),
    RunField("step", "step", "number", lambda r: r.step, 9, "steps made"),
    RunField("steps", "of steps", "number", lambda r: r.total_steps or None, 9, "steps it shall make"),
    RunField("done", "done %", "number", _done, 7, "share of its steps, in percent"),
    RunField("time", "time", "duration", lambda r: r.elapsed_s or None, 7, "training time of all attempts"),
    RunField("created", "created", "time", _made, 12, "when it was made"),
    RunField("ended", "ended", "time", lambda r: None if r.status.is_live else r.status.since or None, 12,
             "when it ended"),
    RunField("age", "age", "duration", lambda r: max(0.0, time.time() - r.created) if r.created else None, 8,
             "since it was made"),
    RunField("size", "size", "bytes", lambda r: r.num_bytes, 8, "bytes on disk"),
    RunField("checkpoints", "ckpts", "number", lambda r: r.num_checkpoints, 5, "checkpoints it keeps"),
    RunField("checkpoint_size", "ckpt size", "bytes", lambda r: r.checkpoint_bytes, 9, "bytes of its checkpoints"),
)  # fmt: skip
BUILT_IN: dict[str, RunField] = {field.key: field for field in _BUILT_IN}
ALIASES = {
    "loss": "best", "tags": "tag", "dataset": "data", "val_loss": "last", "newest": "created", "duration": "time",
    "total": "steps", "started": "created", "disk": "size", "forked": "fork", "reason": "cause",
}  # fmt: skip
_COUNTED_LATER = ("size", "checkpoints", "checkpoint_size")
_SHORT: dict[str, str] = {}
for _path in FIELD_BY_PATH:
    _name = _path.rpartition(".")[2]
    _SHORT[_name] = "" if _name in _SHORT else _path  # a name that several sections have means none of them


def is_detail(key: str) -> bool:
    """Whether a long list is there before the values of this field are read."""
    return key not in BUILT_IN or key in _COUNTED_LATER


def field_named(name: str, metrics: Collection[str] = ()) -> RunField | None:
    """The field of that name: ours, a setting (`optim.lr`, or `lr` alone), or the last value of a metric.

    metrics: names that some run has recorded. `metric.loss` is the metric where a field of ours has its name.
    """
    name = name.lower()
    if name in BUILT_IN:
        return BUILT_IN[name]
    if name in ALIASES:
        return BUILT_IN[ALIASES[name]]
    if path := name if name in FIELD_BY_PATH else _SHORT.get(name, ""):
        return _setting(path)
    metric = name.removeprefix(_METRIC)
    spelled = next((one for one in metrics if one.lower() == metric), metric)
    return _metric(spelled) if spelled in metrics or name.startswith(_METRIC) else None


def metrics_of(rows: Iterable[RunSummary]) -> frozenset[str]:
    """Every metric that one of the runs has recorded lately."""
    names: set[str] = set()
    for row in rows:
        names |= row.figures.keys()
    return frozenset(names)


def all_fields(metrics: Collection[str] = ()) -> tuple[RunField, ...]:
    """Every field one can ask for: ours, then the metrics, then the settings."""
    found = [_metric(name) for name in sorted(metrics)]
    return (*_BUILT_IN, *found, *(_setting(path) for path in FIELD_BY_PATH))


@cache
def _setting(path: str) -> RunField:
    spec = FIELD_BY_PATH[path]
    is_number = spec.kind in ("int", "float")

    def value(row: RunSummary) -> Got:
        if row.settings is None:
            return None
        found: Value = row.settings.get(path, spec.default)
        if is_number and isinstance(found, int | float):
            return float(found)
        return " | ".join(found) if isinstance(found, tuple) else format_value(found)

    width = max(6, min(18, len(spec.name) + 1))
    return RunField(path, spec.name, "number" if is_number else "text", value, width, f"setting: {spec.label}")


@cache
def _metric(name: str) -> RunField:
    width = max(7, min(18, len(name)))
    key = f"{_METRIC}{name}" if name in BUILT_IN or name in ALIASES or "." not in name else name
    return RunField(key, name, "number", lambda row: row.figures.get(name), width, "last value of this metric")


def short_age(seconds: float) -> str:
    """`3h ago`, `just now`."""
    return f"{short_duration(seconds)} ago" if seconds >= 1 else "just now"
