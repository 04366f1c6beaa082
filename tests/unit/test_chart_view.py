"""How a person looks at charts: zoom, pan, follow; and what fits on a page."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.chart_arrangement import (
    DEFAULT_CHARTS,
    Arrangement,
    arrangement_to_remember,
    pages_of,
    remembered_arrangement,
)
from tui.charts.view import (
    X_AXES,
    ChartView,
    followed,
    next_axis,
    next_smoothing,
    panned,
    remembered_view,
    to_remember,
    zoomed,
)

WHOLE = (0.0, 1000.0)


def test_zooming_in_keeps_the_crosshair_in_place_and_zooming_out_ends_with_the_whole() -> None:
    view = ChartView(cursor=250.0)
    near = zoomed(view, WHOLE, WHOLE, inward=True)
    assert (near.low, near.high) == (125.0, 625.0)
    nearer = zoomed(near, (125.0, 625.0), WHOLE, inward=True)
    assert nearer.low is not None and nearer.high is not None
    assert (250 - nearer.low) / (nearer.high - nearer.low) == pytest.approx(0.25)
    assert zoomed(near, (125.0, 625.0), WHOLE, inward=False).is_whole


def test_one_cannot_zoom_in_for_ever() -> None:
    view, shown = ChartView(), WHOLE
    for _ in range(100):
        view = zoomed(view, shown, WHOLE, inward=True)
        shown = view.window_over(*WHOLE, 1000.0)
    assert shown[1] > shown[0]


def test_panning_stops_at_the_ends() -> None:
    view = ChartView(low=500, high=900)
    assert (panned(view, (500, 900), WHOLE, 1).low, panned(view, (500, 900), WHOLE, 1).high) == (600, 1000)
    assert panned(view, (500, 900), WHOLE, 100).high == 1000
    assert panned(view, (500, 900), WHOLE, -100).low == 0


def test_following_moves_with_the_newest_point_and_ends_with_the_whole() -> None:
    view = followed(ChartView(), WHOLE, WHOLE)
    assert view.window_over(0, 1000, 400) == (150, 400)
    assert view.window_over(0, 1000, 900) == (650, 900)
    assert view.window_over(0, 1000, 10) == (0, 250), "before there is so much of it, its beginning"
    assert followed(view, (650, 900), WHOLE).is_whole
    fixed = ChartView(low=100, high=150)
    assert followed(fixed, (100, 150), WHOLE).window_over(0, 1000, 900) == (850, 900), "as wide as it was zoomed"


def test_every_axis_and_smoothing_comes_and_the_first_comes_back() -> None:
    axes, view = [], ChartView(low=1, high=2, cursor=1.5)
    for _ in X_AXES:
        axes.append(view.x)
        view = next_axis(view)
        assert view.is_whole and view.cursor is None, "steps mean nothing on an axis of seconds"
    assert tuple(axes) == X_AXES and view.x == "step"
    seen = [view := next_smoothing(view) for _ in range(6)]
    assert len({one.smoothing for one in seen}) == 6 and seen[-1].smoothing is None


def test_what_is_remembered_comes_back_and_nonsense_does_not() -> None:
    view = ChartView(x="tokens", log_y=True, smoothing=0.9)
    assert remembered_view(to_remember(replace(view, low=1, high=2, cursor=3))) == view
    for nonsense in (None, [], {"x": "wall", "log_y": "yes", "smoothing": 7}, {"smoothing": True}):
        assert remembered_view(nonsense) == ChartView()
    arrangement = Arrangement(("lr", "my metric"), 3, False, True, "time", {"lr": ChartView(log_y=True)})
    assert remembered_arrangement(arrangement_to_remember(arrangement)) == arrangement


words = st.sampled_from(["", "loss", "lr", "time", "step", "x", "log_y", "smoothing", "\x1b[2J", "é"])
scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | words
inner = scalars | st.lists(scalars, max_size=3) | st.dictionaries(words, scalars, max_size=3)
json = inner | st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3)
NAMES = ["charts", "columns", "lead", "lr_over_loss", "x", "looks"]


@given(st.dictionaries(st.sampled_from(NAMES), json, max_size=6))
def test_whatever_was_remembered_makes_an_arrangement(values: dict[str, object]) -> None:
    arrangement = remembered_arrangement(values)
    assert arrangement.charts and 0 <= arrangement.columns <= 6 and arrangement.x in X_AXES
    assert remembered_arrangement(arrangement_to_remember(arrangement)) == arrangement


@given(st.integers(1, 40), st.integers(0, 6), st.booleans(), st.integers(20, 250), st.integers(4, 70))
def test_every_chart_stands_on_one_page_and_each_row_is_full(
    num: int, columns: int, has_lead: bool, width: int, height: int
) -> None:
    names = tuple(f"metric {index}" for index in range(num))
    pages = pages_of(Arrangement(names, columns, has_lead), names, width, height)
    assert tuple(name for page in pages for name in page.charts) == names
    for page in pages:
        assert sum(page.spans) == page.columns * len(page.heights)
        fixed = sum(page.heights)
        assert fixed + 4 * page.heights.count(0) <= max(height, 4), "it fits"
        assert width // page.columns >= 20 or page.columns == 1


def test_the_first_chart_is_the_largest_when_it_leads() -> None:
    page = pages_of(Arrangement(), DEFAULT_CHARTS[:4], 72, 34)[0]
    assert page.columns == 3 and page.spans[0] == 3 and page.heights == (0, 9)
    assert len(pages_of(Arrangement(has_lead=False, columns=4), DEFAULT_CHARTS[:8], 160, 40)[0].charts) == 8
    short = pages_of(Arrangement(), DEFAULT_CHARTS[:4], 80, 10)
    assert [page.charts for page in short] == [(name,) for name in DEFAULT_CHARTS[:4]], "one at a time"
