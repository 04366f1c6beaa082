"""How a person looks at a chart: which axis, how much of it, how smooth, and where the crosshair stands."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

XAxis = Literal["step", "epoch", "tokens", "time"]
X_AXES: tuple[XAxis, ...] = get_args(XAxis)
SMOOTHINGS: tuple[float | None, ...] = (None, 0.0, 0.6, 0.9, 0.98, 0.995)
_ZOOM = 2.0
_LEAST_SHARE = 1e-6  # of the whole axis; what is narrower cannot be told from a point
_PAN = 0.25
_FOLLOWED = 0.25


@dataclass(frozen=True)
class ChartView:
    """x, low, high, span and cursor are in the units of the x axis: steps, epochs, tokens or seconds.

    smoothing: None is chosen by the number of points, 0 is off, else the decay of the average per recorded value.
    low, high: the visible range; None is as far as there is something. span: how much of the newest end is
    followed, instead of low and high. cursor: where the crosshair reads the charts.
    """

    x: XAxis = "step"
    log_y: bool = False
    smoothing: float | None = None
    low: float | None = None
    high: float | None = None
    span: float | None = None
    cursor: float | None = None

    @property
    def is_whole(self) -> bool:
        """Everything there is is shown."""
        return self.low is None and self.high is None and self.span is None

    def window_over(self, low: float, high: float, newest: float) -> tuple[float, float]:
        """What is visible of an axis from low to high on which the newest point stands at `newest`."""
        if self.span is not None:
            end = max(newest, low + min(self.span, high - low))
            return end - self.span, end
        return (low if self.low is None else self.low), (high if self.high is None else self.high)


Window = tuple[float, float]


def zoomed(view: ChartView, shown: Window, whole: Window, inward: bool) -> ChartView:
    """Half as much of the axis, or twice as much, around the crosshair, or else around the middle."""
    low, high = shown
    width = (high - low) / _ZOOM if inward else (high - low) * _ZOOM
    if inward and width < (whole[1] - whole[0]) * _LEAST_SHARE:
        return view
    if view.span is not None:
        return whole_of(view) if width >= whole[1] - whole[0] else replace(view, span=width)
    is_inside = view.cursor is not None and low <= view.cursor <= high
    centre = view.cursor if is_inside and view.cursor is not None else (low + high) / 2
    share = (centre - low) / (high - low) if high > low else 0.5
    return between(view, centre - width * share, centre + width * (1 - share), whole)


def panned(view: ChartView, shown: Window, whole: Window, by: float) -> ChartView:
    """The window moved by quarters of itself, as far as there is something."""
    low, high = shown
    move = (high - low) * _PAN * by
    move = max(whole[0] - low, min(whole[1] - high, move))
    return between(view, low + move, high + move, whole)


def between(view: ChartView, low: float, high: float, whole: Window) -> ChartView:
    """That window, cut to what there is; the whole when it is all of it."""
    low, high = max(low, whole[0]), min(high, whole[1])
    if low <= whole[0] and high >= whole[1]:
        return whole_of(view)
    return replace(view, low=low, high=high, span=None)


def whole_of(view: ChartView) -> ChartView:
    """Everything there is."""
    return replace(view, low=None, high=None, span=None)


def followed(view: ChartView, shown: Window, whole: Window) -> ChartView:
    """From the whole or a fixed window to the newest end, and from there to the whole."""
    if view.span is not None:
        return whole_of(view)
    width = (whole[1] - whole[0]) * _FOLLOWED if view.is_whole else shown[1] - shown[0]
    return replace(view, low=None, high=None, span=width)


def next_axis(view: ChartView) -> ChartView:
    """The same charts over another axis; a window of the one means nothing on the other."""
    x = X_AXES[(X_AXES.index(view.x) + 1) % len(X_AXES)]
    return replace(whole_of(view), x=x, cursor=None)


def next_smoothing(view: ChartView) -> ChartView:
    """By itself, off, then more and more of it."""
    at = SMOOTHINGS.index(view.smoothing) if view.smoothing in SMOOTHINGS else 0
    return replace(view, smoothing=SMOOTHINGS[(at + 1) % len(SMOOTHINGS)])


def view_words(view: ChartView) -> str:
    """What is not as usual, for a title: `epoch · log · ema 0.9 · follows`."""
    parts: list[str] = [view.x] if view.x != "step" else []
    if view.log_y:
        parts.append("log")
    if view.smoothing is not None:
        parts.append(f"ema {view.smoothing:g}" if view.smoothing else "raw")
    if view.span is not None:
        parts.append("follows")
    elif not view.is_whole:
        parts.append("zoomed")
    return " · ".join(parts)


def remembered_view(values: Any) -> ChartView:
    """A view from what was remembered, of which anything may have been written: x, log_y and smoothing."""
    if not isinstance(values, dict):
        return ChartView()
    x, smoothing = values.get("x"), values.get("smoothing")
    if isinstance(smoothing, bool) or not isinstance(smoothing, int | float) or not 0 <= smoothing < 1:
        smoothing = None
    return ChartView(x=x if x in X_AXES else "step", log_y=values.get("log_y") is True, smoothing=smoothing)


def to_remember(view: ChartView) -> dict[str, Any]:
    """What is worth keeping for another run and another day."""
    return {"x": view.x, "log_y": view.log_y, "smoothing": view.smoothing}
