"""Curves as an SVG picture within the page: axes, bands, lines, guides and marks, with words that pop up."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from runs.series import Bucket, Series
from tui.axes import log_ticks, short_number, tick_labels, ticks, value_range
from tui.charts.curves import smooth, smoothing_for
from tui.report.html import Html, element, join

_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 10, 12, 22
_PIXELS_A_BUCKET = 2
_WORDS_HEIGHT = 14
_MOST_DOTS = 120
_LOOKED_AT, _DECADES = 256, 100.0
_TICK_WIDTH, _TICK_HEIGHT = 90, 48
_BARE = {"fill": "none", "stroke": "currentColor"}  # for readers that take no styles from the page


@dataclass(frozen=True)
class Curve:
    """series: by step. colour: 0 to 3, each with dashes of its own. dots: mark each point, as of evaluations."""

    series: Series
    label: str
    colour: int = 0
    dots: bool = False
    smooth: bool = False


@dataclass(frozen=True)
class Picture:
    """What a picture shows. guides: (label, value). marks: (step, what was done). best: (step, value).

    is_log: the axis goes in decades. is_rank: so too, from rank 1 at the top downwards. first_step: where the
    axis begins, other than 0 of a fork.
    """

    curves: tuple[Curve, ...]
    last_step: float
    guides: tuple[tuple[str, float], ...] = ()
    marks: tuple[tuple[float, str], ...] = ()
    best: tuple[float, float] | None = None
    from_zero: bool = False
    share: bool = False
    is_log: bool = False
    is_rank: bool = False
    width: int = 520
    height: int = 210
    title: str = ""
    first_step: float = 0.0

    @property
    def steps(self) -> tuple[float, float]:
        """The ends of the axis of steps, never the same."""
        return self.first_step, max(self.last_step, self.first_step + 1.0)


class _Scale:
    """From steps and values to pixels."""

    def __init__(self, picture: Picture, low: float, high: float) -> None:
        self.wide = picture.width - _LEFT - _RIGHT
        self.tall = picture.height - _TOP - _BOTTOM
        self._first, self._last = picture.steps
        self._low, self._high = low, high
        self._is_log, self._is_rank = picture.is_log or picture.is_rank, picture.is_rank

    def x(self, step: float) -> float:
        return round((step - self._first) / (self._last - self._first) * self.wide, 2)

    def y(self, value: float) -> float:
        """Not far outside of the picture, whatever the value: renderers have limits."""
        place = _place(value, self._is_log)
        share = (place - self._low) / (self._high - self._low)
        share = 1 - share if self._is_rank else share
        return round((1 - min(max(share, -2.0), 3.0)) * self.tall, 2)


def spans_decades(series: Series) -> bool:
    """Whether most of it spans more than two decades; a warm-up or a spike alone does not stretch an axis."""
    bounds = series.bounds()
    buckets = series.reduce(*bounds, _LOOKED_AT) if bounds is not None else ()
    means = sorted(bucket.mean for bucket in buckets if bucket.count and math.isfinite(bucket.mean))
    if not means or means[0] <= 0:
        return False
    cut = len(means) // 20
    return means[-1 - cut] > _DECADES * means[cut]


def draw(picture: Picture) -> Html:
    """The picture as an `svg` element, well-formed as XML too."""
    num_buckets = max(1, (picture.width - _LEFT - _RIGHT) // _PIXELS_A_BUCKET)
    reduced = [curve.series.reduce(*picture.steps, num_buckets) for curve in picture.curves]
    low, high = _range(picture, reduced)
    scale = _Scale(picture, low, high)
    inside: list[Html] = []
    over: list[Html] = []
    for label, value in picture.guides:
        if low <= value <= high:  # only losses have guides, and their axis is a plain one
            y = scale.y(value)
            line = element("line", x1=0, x2=scale.wide, y1=y, y2=y, class_="guide", **_BARE)
            words_y = y - 3 if y > _WORDS_HEIGHT else y + _WORDS_HEIGHT - 2
            inside += [line, element("text", label, x=scale.wide - 3, y=words_y, class_="end")]
    for step, words in picture.marks:
        x = scale.x(step)
        line = element("line", x1=x, x2=x, y1=0, y2=scale.tall, class_="mark", **_BARE)
        inside.append(element("g", element("title", f"step {step:,.0f}: {words}"), line))
    for curve, buckets in zip(picture.curves, reduced, strict=True):
        inside += _curve(curve, buckets, scale)
    if picture.best is not None and low <= picture.best[1] <= high:
        step, value = picture.best
        over.append(
            element(
                "text", element("title", f"best: {value:.4f} at step {step:,.0f}"), "★",
                x=_LEFT + scale.x(step), y=_TOP + scale.y(value) + 5, class_="star",
            )
        )  # fmt: skip
    room = element(
        "svg", *inside, x=_LEFT, y=_TOP, width=scale.wide, height=scale.tall,
        viewBox=f"0 0 {scale.wide} {scale.tall}", overflow="hidden",
    )  # fmt: skip
    name = element("title", picture.title)
    return element(
        "svg", name, *_axes(picture, scale, low, high), room, *over,
        viewBox=f"0 0 {picture.width} {picture.height}", role="img",
    )  # fmt: skip


def _place(value: float, is_log: bool) -> float:
    """Where a value stands on its axis; what has no logarithm lies below it."""
    if not is_log:
        return value
    return math.log10(value) if value > 0 else -math.inf


def _range(picture: Picture, reduced: list[tuple[Bucket, ...]]) -> tuple[float, float]:
    """The ends of the value axis; of one in decades, their exponents."""
    body = [value for buckets in reduced for bucket in buckets for value in _extremes(bucket)]
    if picture.is_rank:
        return 0.0, max(1.0, *(_place(value, True) for value in body if math.isfinite(value)), 0.0)
    if picture.is_log:
        places = [_place(value, True) for value in body if math.isfinite(value) and value > 0]
        return value_range([], places)
    must_show = [0.0] if picture.from_zero else []
    must_show += [value for value in body if picture.share and math.isfinite(value)]
    must_show += [picture.best[1]] if picture.best is not None else []
    low, high = value_range(body, must_show)
    guides = [value for _, value in picture.guides if math.isfinite(value)]
    room = (high - low) * 0.5  # a guide that is far off would press the curve flat
    near = [value for value in guides if low - room <= value <= high + room]
    return value_range([], [low, high, *near]) if near else (low, high)


def _extremes(bucket: Bucket) -> tuple[float, ...]:
    return (bucket.minimum, bucket.maximum) if bucket.count > 1 else (bucket.mean,)


def _axes(picture: Picture, scale: _Scale, low: float, high: float) -> Iterable[Html]:
    num = max(4, scale.tall // _TICK_HEIGHT + 1)
    if picture.is_log or picture.is_rank:
        places = log_ticks(low, high, num)
        labels = [short_number(place) for place in places]
    else:
        places = ticks(low, high, num)
        shares = tuple(100 * place for place in places)
        labels = [f"{label} %" for label in tick_labels(shares)] if picture.share else list(tick_labels(places))
    for place, label in zip(places, labels, strict=True):
        y = _TOP + scale.y(place)
        yield element("line", x1=_LEFT, x2=_LEFT + scale.wide, y1=y, y2=y, class_="axis", **_BARE)
        yield element("text", label.strip(), x=_LEFT - 6, y=y + 4, class_="end")
    bottom = _TOP + scale.tall
    steps = ticks(*picture.steps, max(2, scale.wide // _TICK_WIDTH), of_counts=True)
    for step in steps:
        x = scale.x(step)
        class_ = "end" if x > scale.wide - 20 else "mid"
        yield element("text", short_number(step), x=_LEFT + x, y=bottom + 15, class_=class_)


def _curve(curve: Curve, buckets: tuple[Bucket, ...], scale: _Scale) -> Iterable[Html]:
    """The extremes as a band, the mean as a line; gaps break both."""
    name = element("title", curve.label)
    decay = smoothing_for(len(curve.series)) if curve.smooth else 0.0
    average = dict(zip(buckets, smooth(buckets, decay), strict=True)) if decay else {}
    for stretch in _stretches(buckets):
        if decay or any(bucket.count > 1 for bucket in stretch):
            edges = [*((b.step, b.maximum) for b in stretch), *((b.step, b.minimum) for b in reversed(stretch))]
            if all(bucket.count == 1 for bucket in stretch):
                yield _line(edges[: len(stretch)], scale, curve.colour, name, faint=True)
            else:
                points = " ".join(f"{scale.x(step)},{scale.y(value)}" for step, value in edges)
                yield element("polygon", name, points=points, class_=f"band f{curve.colour}")
        middle = [(bucket.step, average.get(bucket, bucket.mean)) for bucket in stretch]
        yield _line(middle, scale, curve.colour, name)
        if curve.dots and len(buckets) <= _MOST_DOTS:
            for bucket in stretch:
                words = element("title", f"{curve.label} at step {bucket.step:,.0f}: {bucket.mean:.5g}")
                yield element(
                    "circle", words, cx=scale.x(bucket.step), cy=scale.y(bucket.mean), r=2.6,
                    class_=f"f{curve.colour}",
                )  # fmt: skip


def _line(points: list[tuple[float, float]], scale: _Scale, colour: int, name: Html, faint: bool = False) -> Html:
    """faint: as it was recorded, behind the smoothed one."""
    if len(points) == 1:  # a line of one point would not be seen
        step, value = points[0]
        return element("circle", name, cx=scale.x(step), cy=scale.y(value), r=1.8, class_=f"f{colour}")
    path = "M" + "L".join(f"{scale.x(step)} {scale.y(value)}" for step, value in points)
    kind = "curve faint" if faint else "curve"
    class_ = f"{kind} s{colour} d{colour}"
    return element("path", name, d=path, class_=class_, **_BARE)


def _stretches(buckets: tuple[Bucket, ...]) -> Iterable[list[Bucket]]:
    stretch: list[Bucket] = []
    for bucket in buckets:
        if bucket.count:
            stretch.append(bucket)
        elif stretch:
            yield stretch
            stretch = []
    if stretch:
        yield stretch


def legend(curves: Iterable[Curve]) -> Html:
    """The names of the curves, each in its colour behind its line."""
    signs = ("━", "╍", "┅", "╌")
    return join(
        *(element("span", f"{signs[curve.colour]} {curve.label}  ", class_=f"t{curve.colour}") for curve in curves)
    )
