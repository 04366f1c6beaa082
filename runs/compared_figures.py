"""The final figures of several runs, a row each, with the best marked where it means anything."""

from __future__ import annotations

import math
import statistics
from bisect import bisect_right
from collections.abc import Sequence
from typing import Literal

import msgspec

from runs.reader import RunSnapshot
from runs.series import Series

Unit = Literal["nats", "bits/byte", "share", "steps", "tokens", "s", "tok/s", "bytes", "count", ""]
_Better = Literal["low", "high", ""]

_MOST_OTHERS = 12
_RATE_BUCKETS = 256
_LOSS_NAMES = frozenset({"val_loss", "val_perplexity", "val_bits_per_byte"})
_WORDS = {"val_accuracy_known": "accuracy of known words"}
_SHARES = ("accuracy", "f1", "precision", "recall", "margin")


class FigureRow(msgspec.Struct, frozen=True):
    """One figure of every run; None where a run has it not. best: which runs have the best, by their places.

    Nobody is best where all are equal, where only one has the figure, or where it measures different things.
    """

    name: str
    label: str
    unit: Unit
    values: tuple[float | None, ...]
    best: tuple[int, ...] = ()


def figure_rows(
    snapshots: Sequence[RunSnapshot], sizes: Sequence[int | None], *, in_nats: bool, in_bits: bool
) -> tuple[FigureRow, ...]:
    """The rows that at least one run has a figure for.

    sizes: bytes on disk. in_nats, in_bits: whether validation losses, and bits per byte, can be compared.
    """
    rows = [
        _row("val_loss_best", "val loss, best", "nats", [one.best_loss for one in snapshots], in_nats, "low"),
        _row("val_loss_best_step", "… at step", "steps", [one.best_step for one in snapshots]),
        _row("val_loss_last", "val loss, last", "nats", [one.last_val_loss for one in snapshots], in_nats, "low"),
        _row(
            "bits_per_byte_best", "bits per byte, best", "bits/byte",
            [_lowest(_series(one, "val_bits_per_byte")) for one in snapshots], in_bits, "low",
        ),
        *_other_validation(snapshots, in_nats),
        *_way_to_the_same_loss(snapshots, in_nats),
        _row("train_loss_last", "train loss, last", "nats", [one.last_loss for one in snapshots]),
        _row("gap_last", "val − train, last", "nats", [_gap(one) for one in snapshots]),
        _row("steps", "steps", "steps", [one.step for one in snapshots]),
        _row("tokens", "tokens", "tokens", [_tokens(one) for one in snapshots]),
        _row("elapsed_s", "time", "s", [one.elapsed_s or None for one in snapshots]),
        _row("tokens_per_second", "speed", "tok/s", [_rate(one) for one in snapshots], better="high"),
        _row("memory_peak_bytes", "memory, peak", "bytes", [_memory(one) for one in snapshots], better="low"),
        _row(
            "num_parameters", "parameters", "count",
            [one.started.num_parameters if one.started else None for one in snapshots],
        ),
        _row("size_bytes", "size on disk", "bytes", sizes, all(one.step for one in snapshots), "low"),
    ]  # fmt: skip
    return tuple(row for row in rows if any(value is not None for value in row.values))


def _row(
    name: str,
    label: str,
    unit: Unit,
    values: Sequence[float | None],
    comparable: bool = True,
    better: _Better = "",
) -> FigureRow:
    kept = tuple(None if value is None or not math.isfinite(value) else value for value in values)
    return FigureRow(name, label, unit, kept, _best(kept, better) if comparable else ())


def _best(values: Sequence[float | None], better: _Better) -> tuple[int, ...]:
    known = [value for value in values if value is not None]
    if not better or len(known) < 2 or min(known) == max(known):
        return ()
    best = min(known) if better == "low" else max(known)
    return tuple(place for place, value in enumerate(values) if value == best)


def _other_validation(snapshots: Sequence[RunSnapshot], comparable: bool) -> list[FigureRow]:
    """The best of what evaluations count beside the loss: accuracy, F1 and whatever else an objective names."""
    names = dict.fromkeys(name for one in snapshots for name in one.series if name.startswith("val_"))
    rows: list[FigureRow] = []
    for name in [name for name in names if name not in _LOSS_NAMES][:_MOST_OTHERS]:
        words = _WORDS.get(name) or name.removeprefix("val_").replace("_", " ")
        found = [_series(one, name) for one in snapshots]
        if any(share in name for share in _SHARES):
            values = [_highest(series) for series in found]
            rows.append(_row(f"{name}_best", f"{words}, best", "share", values, comparable, "high"))
        else:
            values = [series.last() if series is not None else None for series in found]
            rows.append(_row(f"{name}_last", f"{words}, last", "", values))
    return rows


def _way_to_the_same_loss(snapshots: Sequence[RunSnapshot], comparable: bool) -> list[FigureRow]:
    """How long each took to the best loss of the worst of them, which all have reached."""
    losses = [one.best_loss for one in snapshots]
    known = [loss for loss in losses if loss is not None and math.isfinite(loss)]
    if not comparable or len(known) < max(2, len(losses)):
        return []
    target = max(known)
    first = [_first_at_most(_series(one, "val_loss"), target) for one in snapshots]
    label = f"to val loss {target:.3f}"
    return [
        _row(
            "time_to_loss_s", f"time {label}", "s",
            [None if at is None else series.elapsed_s[at] for series, at in first], better="low",
        ),
        _row(
            "tokens_to_loss", f"tokens {label}", "tokens",
            [None if at is None else series.tokens[at] for series, at in first], better="low",
        ),
    ]  # fmt: skip


def _first_at_most(series: Series | None, target: float) -> tuple[Series, int | None]:
    if series is None:
        return Series(), None
    return series, next((at for at, value in enumerate(series.value) if value <= target), None)


def _series(snapshot: RunSnapshot, name: str) -> Series | None:
    series = snapshot.series.get(name)
    return series if series else None


def _extremes(series: Series | None) -> tuple[float, float] | None:
    """Least and most of the finite values."""
    bounds = series.bounds() if series is not None else None
    if series is None or bounds is None:
        return None
    whole = series.reduce(*bounds, 1)
    return (whole[0].minimum, whole[0].maximum) if whole and whole[0].count else None


def _lowest(series: Series | None) -> float | None:
    found = _extremes(series)
    return found[0] if found else None


def _highest(series: Series | None) -> float | None:
    found = _extremes(series)
    return found[1] if found else None


def _gap(snapshot: RunSnapshot) -> float | None:
    """What the last evaluation lay above the training loss of then, smoothed over the records before it."""
    series, evaluated = _series(snapshot, "loss"), _series(snapshot, "val_loss")
    if series is None or evaluated is None or snapshot.last_val_loss is None:
        return None
    end = bisect_right(series.step, evaluated.step[-1])
    recent = [value for value in series.value[max(0, end - 10) : end] if math.isfinite(value)]
    return snapshot.last_val_loss - statistics.fmean(recent) if recent else None


def _tokens(snapshot: RunSnapshot) -> float | None:
    """Of all that was trained on until now."""
    newest = [series.tokens[-1] for name in ("loss", "val_loss") if (series := _series(snapshot, name))]
    return max(newest) if newest else None


def _rate(snapshot: RunSnapshot) -> float | None:
    """The median over the run, so that neither a warm-up nor a pause counts."""
    series = _series(snapshot, "tokens_per_second")
    bounds = series.bounds() if series is not None else None
    if series is None or bounds is None:
        return None
    means = [bucket.mean for bucket in series.reduce(*bounds, _RATE_BUCKETS) if bucket.count]
    return statistics.median(means) if means else None


def _memory(snapshot: RunSnapshot) -> float | None:
    """The most that the first process held on its device; on a CPU, in the machine's memory."""
    for name in ("memory_peak_bytes", "memory_allocated_bytes", "host_memory_bytes"):
        most = _highest(_series(snapshot, name))
        if most:
            return most
    return None
