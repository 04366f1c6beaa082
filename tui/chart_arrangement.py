"""Which charts a person wants on Monitor, in which order, and how they fit into the room there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tui.charts.view import X_AXES, ChartView, XAxis, remembered_view, to_remember

DEFAULT_CHARTS: tuple[str, ...] = (
    "loss", "lr", "grad_norm", "tokens_per_second", "val_accuracy", "gap", "memory", "step_time_s", "ranks",
)  # fmt: skip
ALWAYS_SHOWN = DEFAULT_CHARTS[:4]
"""Of the charts that nobody chose, those that stand there also before the run has figures for them."""

MOST_COLUMNS = 6
_MOST_CHARTS = 200
_LEAST_WIDTH, _LEAST_HEIGHT = 24, 8
_SMALL_HEIGHT, _TALL_SMALL_HEIGHT, _TALL = 9, 12, 45
_LEAST_LEAD = 10
_SHORT = 17


@dataclass(frozen=True)
class Arrangement:
    """charts: their names, the first is the large one if has_lead. columns: 0 is as many as fit.

    lr_over_loss: the learning rate is drawn over the loss. x: of all charts. looks: of some charts, log scale and
    smoothing.
    """

    charts: tuple[str, ...] = DEFAULT_CHARTS
    columns: int = 0
    has_lead: bool = True
    lr_over_loss: bool = False
    x: XAxis = "step"
    looks: dict[str, ChartView] = field(default_factory=dict)

    @property
    def is_default(self) -> bool:
        """Nobody chose the charts, so that those without figures are left out."""
        return self.charts == DEFAULT_CHARTS

    def view_of(self, chart: str) -> ChartView:
        """How a chart is looked at when it comes."""
        look = self.looks.get(chart, ChartView())
        return ChartView(x=self.x, log_y=look.log_y, smoothing=look.smoothing)


def remembered_arrangement(values: dict[str, Any]) -> Arrangement:
    """From what was remembered, of which anything may have been written; what is wrong is as by default."""
    names = values.get("charts")
    charts = DEFAULT_CHARTS
    if isinstance(names, list):
        good = [name for name in names if isinstance(name, str) and 0 < len(name) <= 200]
        charts = tuple(dict.fromkeys(good))[:_MOST_CHARTS] or DEFAULT_CHARTS
    columns, x, looks = values.get("columns"), values.get("x"), values.get("looks")
    is_count = isinstance(columns, int) and not isinstance(columns, bool) and 0 <= columns <= MOST_COLUMNS
    found = looks.items() if isinstance(looks, dict) else ()
    return Arrangement(
        charts=charts,
        columns=columns if is_count and columns is not None else 0,
        has_lead=values.get("lead") is not False,
        lr_over_loss=values.get("lr_over_loss") is True,
        x=x if x in X_AXES else "step",
        looks={name: remembered_view(look) for name, look in found if isinstance(name, str)},
    )


def arrangement_to_remember(arrangement: Arrangement) -> dict[str, Any]:
    """What `remembered_arrangement` reads."""
    return {
        "charts": list(arrangement.charts),
        "columns": arrangement.columns,
        "lead": arrangement.has_lead,
        "lr_over_loss": arrangement.lr_over_loss,
        "x": arrangement.x,
        "looks": {name: to_remember(look) for name, look in arrangement.looks.items()},
    }


@dataclass(frozen=True)
class Page:
    """What is visible of the charts. heights: of the rows, 0 for what is left over. spans: columns of each chart.

    first: which of all charts comes first; num_pages: of this height and width.
    """

    charts: tuple[str, ...]
    columns: int
    heights: tuple[int, ...]
    spans: tuple[int, ...]
    first: int
    index: int
    num_pages: int


def pages_of(arrangement: Arrangement, charts: Sequence[str], width: int, height: int) -> tuple[Page, ...]:
    """The charts, a page after the other, in a room of so many cells."""
    if not charts:
        return (Page((), 1, (0,), (), 0, 0, 1),)
    if height < _SHORT:
        sizes = [1] * len(charts)
        columns, lead = 1, False
    else:
        fitting = max(1, width // _LEAST_WIDTH)
        columns = min(arrangement.columns or min(4, fitting), fitting)
        lead = arrangement.has_lead
        sizes = _sizes(len(charts), columns, height, lead)
    pages, first = [], 0
    for index, size in enumerate(sizes):
        shown = tuple(charts[first : first + size])
        is_led = lead and index == 0
        pages.append(_page(shown, columns, height, is_led, first, index, len(sizes)))
        first += size
    return tuple(pages)


def _sizes(num: int, columns: int, height: int, lead: bool) -> list[int]:
    """How many charts stand on each page."""
    whole = max(1, height // _LEAST_HEIGHT) * columns
    first = whole
    if lead:
        rows = (height - max(_LEAST_LEAD, height // 2)) // _small_height(height)
        first = 1 + max(1, rows) * columns
    sizes = [min(first, num)]
    while (left := num - sum(sizes)) > 0:
        sizes.append(min(whole, left))
    return sizes


def _page(
    shown: tuple[str, ...], columns: int, height: int, is_led: bool, first: int, index: int, num_pages: int
) -> Page:
    small = len(shown) - is_led
    columns = max(1, min(columns, small))
    rows = -(-small // columns)
    spans = [1] * len(shown)
    if small % columns:
        spans[-1] = columns - small % columns + 1  # the last of a row takes what is left of it
    heights = (0,) * max(1, rows)
    if is_led:
        spans[0] = columns
        heights = (0, *([_small_height(height)] * rows))
    return Page(shown, columns, heights, tuple(spans), first, index, num_pages)


def _small_height(height: int) -> int:
    return _TALL_SMALL_HEIGHT if height >= _TALL else _SMALL_HEIGHT
