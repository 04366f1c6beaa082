"""The charts of Monitor: one crosshair for all, axes, scales, zoom; and the grid that a person arranges."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import OptionList

from runs.folder import RunFolder
from tests.run_writer import finished_run
from tests.tui.pilots import shown_strips, shown_text, until
from tui.app import TinyTrainApp
from tui.charts.pane import ChartPane
from tui.remembered import remembered_path
from tui.screens.arrange_charts import ArrangeCharts
from tui.screens.monitor import MonitorScreen
from tui.settings import read_settings
from tui.widgets.chart_grid import ChartGrid

SIZE = (120, 40)


async def opened(app: TinyTrainApp, pilot: Pilot[None], folder: RunFolder) -> ChartGrid:
    await app.open_run(folder)
    assert isinstance(app.screen, MonitorScreen)
    grid = app.screen.query_one(ChartGrid)
    await until(pilot, lambda: all(pane.rows for pane in grid.seen) and len(grid.seen) >= 4)
    await until(pilot, lambda: "★" in pane_of(grid, "loss").text)
    return grid


def pane_of(grid: ChartGrid, chart: str) -> ChartPane:
    pane = grid.pane(chart)
    assert pane is not None
    return pane


def title(grid: ChartGrid, chart: str) -> str:
    return str(pane_of(grid, chart).border_title)


def bottom(grid: ChartGrid, chart: str) -> str:
    """The line with the labels of the x axis."""
    return pane_of(grid, chart).text.splitlines()[-1]


async def test_the_crosshair_reads_every_chart_at_one_step_until_escape(tmp_path: Path) -> None:
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        grid = await opened(app, pilot, finished_run(tmp_path, steps=400))
        newest = title(grid, "lr")
        await pilot.press("left")
        await until(pilot, lambda: "@ step 400" in title(grid, "loss"))
        await pilot.press("shift+left", "shift+left", "left")
        await until(pilot, lambda: "@ step 400" not in title(grid, "loss") and "@" in title(grid, "loss"))
        place = re.search(r"@ (step \d+)", title(grid, "loss"))
        assert place is not None
        await until(pilot, lambda: all(place[1] in bottom(grid, pane.chart) for pane in grid.seen))
        lines = [[line[7:] for line in pane.text.splitlines()] for pane in grid.seen]
        assert all(any("│" in line for line in pane) for pane in lines), "a line through each of them"
        assert title(grid, "lr") != newest
        await pilot.press("escape")
        await until(pilot, lambda: title(grid, "lr") == newest and "@" not in title(grid, "loss"))
        assert isinstance(app.screen, MonitorScreen), "the first escape took away the crosshair, no more"


async def test_axes_are_shared_and_scales_are_each_charts_own_and_both_come_back(tmp_path: Path) -> None:
    folder = finished_run(tmp_path, steps=400)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        grid = await opened(app, pilot, folder)
        for axis in ("epoch", "tokens", "time"):
            await pilot.press("a")
            await until(pilot, lambda: axis in str(pane_of(grid, "loss").border_subtitle))  # noqa: B023
        assert all("time" in str(pane.border_subtitle) for pane in grid.seen)
        assert "m" in bottom(grid, "loss").replace("time", "") or "s" in bottom(grid, "loss")
        await pilot.press("L", "m")
        await until(pilot, lambda: "time · log · raw" in str(pane_of(grid, "loss").border_subtitle))
        assert "log" not in str(pane_of(grid, "lr").border_subtitle)
        assert "ema" not in title(grid, "loss"), "nothing is averaged now"
    kept = json.loads(remembered_path().read_text(encoding="utf-8"))["monitor"]
    assert kept["x"] == "time" and kept["looks"]["loss"] == {"x": "time", "log_y": True, "smoothing": 0.0}
    again = TinyTrainApp(tmp_path)
    async with again.run_test(size=SIZE) as pilot:
        await again.open_run(folder)
        grid = again.screen.query_one(ChartGrid)
        await until(pilot, lambda: "time · log · raw" in str(pane_of(grid, "loss").border_subtitle))


async def test_zoom_pan_and_follow_move_the_window_of_all_charts(tmp_path: Path) -> None:
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        grid = await opened(app, pilot, finished_run(tmp_path, steps=400))
        loss = pane_of(grid, "loss")

        def note() -> str:
            return str(loss.border_subtitle)

        await pilot.press("i")
        await until(pilot, lambda: (loss.view.low, loss.view.high) == (100, 300) and "zoomed" in note())
        assert {(pane.view.low, pane.view.high) for pane in grid.panes} == {(100, 300)}
        await until(pilot, lambda: "400" not in bottom(grid, "lr") and "★" not in loss.text)
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: (loss.view.low, loss.view.high) == (150, 350))
        await pilot.press("left_square_bracket", "left_square_bracket", "o", "o")
        await until(pilot, lambda: loss.view.is_whole)
        await pilot.press("f")
        await until(pilot, lambda: "follows" in note() and "400" in bottom(grid, "loss"))
        await pilot.press("f")
        await until(pilot, lambda: "follows" not in note())


async def test_the_mouse_sets_the_crosshair_and_the_wheel_zooms(tmp_path: Path) -> None:
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        grid = await opened(app, pilot, finished_run(tmp_path, steps=400))
        await pilot.click(pane_of(grid, "loss"), offset=(36, 5))
        await until(pilot, lambda: "@" in title(grid, "lr"))
        cursor = pane_of(grid, "lr").view.cursor
        assert cursor is not None and 150 < cursor < 250
        await pilot._post_mouse_events([events.MouseScrollUp], "#loss", (36, 5))
        await until(pilot, lambda: not pane_of(grid, "lr").view.is_whole)
        assert pane_of(grid, "lr").view.cursor == cursor


async def test_a_person_arranges_the_charts_and_finds_them_so_again(tmp_path: Path) -> None:
    folder = finished_run(tmp_path, steps=200)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        grid = await opened(app, pilot, folder)
        await pilot.press("g")
        await until(
            pilot, lambda: isinstance(app.screen, ArrangeCharts) and app.screen.query_one(OptionList).has_focus
        )
        await pilot.press("space", "J", "right", "right", "l", "slash", *"val perp", "enter")
        await until(pilot, lambda: app.screen.query_one(OptionList).option_count == 1)
        await pilot.press("space")
        await until(pilot, lambda: "✓ perplexity" in shown_text(app))
        assert "2 columns" in shown_text(app) and "all of one size" in shown_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: "val_perplexity" in grid.charts and "loss" not in grid.charts)
        assert grid.charts[:2] == ("grad_norm", "lr") or grid.charts[0] in ("lr", "grad_norm")
        await until(pilot, lambda: "perplexity" in shown_text(app) or grid.page == 0)
        assert {pane.region.width for pane in grid.seen} == {36}
        charts = grid.charts
    again = TinyTrainApp(tmp_path)
    async with again.run_test(size=SIZE) as pilot:
        await again.open_run(folder)
        grid = again.screen.query_one(ChartGrid)
        assert grid.charts == charts
        await until(pilot, lambda: len(grid.seen) > 3)
        await pilot.press("g")
        await until(pilot, lambda: isinstance(again.screen, ArrangeCharts))
        await until(pilot, lambda: again.screen.query_one(OptionList).has_focus)
        await pilot.press("0", "enter")
        await until(pilot, lambda: "loss" in grid.charts and grid.charts[0] == "loss")


async def test_charts_that_do_not_fit_stand_on_pages_and_only_those_that_are_seen_are_drawn(
    tmp_path: Path,
) -> None:
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await app.open_run(finished_run(tmp_path, steps=200))
        grid = app.screen.query_one(ChartGrid)
        await until(pilot, lambda: "chart 1 of" in shown_text(app))
        assert [pane.chart for pane in grid.seen] == ["loss"]
        await until(pilot, lambda: bool(pane_of(grid, "loss").rows))
        assert not pane_of(grid, "grad_norm").rows, "nobody looked at it"
        await pilot.press("pagedown", "pagedown")
        await until(pilot, lambda: "chart 3 of" in shown_text(app) and bool(pane_of(grid, "grad_norm").rows))
        assert pane_of(grid, "grad_norm").has_focus
        await pilot.press("pageup", "pageup")
        await until(pilot, lambda: pane_of(grid, "loss").display)


@pytest.mark.parametrize("ascii_only", [True, False])
async def test_a_terminal_without_braille_gets_ascii(tmp_path: Path, ascii_only: bool) -> None:
    app = TinyTrainApp(tmp_path, replace(read_settings(), ascii=ascii_only))
    async with app.run_test(size=SIZE) as pilot:
        await app.open_run(finished_run(tmp_path, steps=200))
        grid = app.screen.query_one(ChartGrid)
        sign = "*" if ascii_only else "★"
        await until(pilot, lambda: sign in pane_of(grid, "loss").text)
        assert pane_of(grid, "loss").text.isascii() == ascii_only
        signs = ("o val", "* best") if ascii_only else ("◆ val", "★ best")
        await until(pilot, lambda: all(words in shown_text(app) for words in signs))
        assert shown_text(app).isascii() == ascii_only, "its signs are those of the chart"


@pytest.mark.parametrize("look", ["tinytrain-light", "ansi-dark", "no-colour"])
async def test_lines_put_between_the_borders_are_as_textual_would_have_put_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, look: str
) -> None:
    by_textual: list[int] = []
    render_line = ChartPane.render_line
    monkeypatch.setattr(ChartPane, "render_line", lambda pane, y: (by_textual.append(y), render_line(pane, y))[1])
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        grid = await opened(app, pilot, finished_run(tmp_path, steps=400))
        loss = pane_of(grid, "loss")
        app.theme = (
            look if look in app.available_themes else next(name for name in app.available_themes if look in name)
        )
        for keys, note in (
            (("i",), "zoomed"),
            (("o",), ""),
            (("L",), "log"),
            (("left", "L", "i", "f"), "follows"),
        ):
            await pilot.pause()
            await until(pilot, lambda: all(pane._styles[0] == pane.rich_style for pane in grid.seen))
            await pilot.pause()
            by_textual.clear()
            await pilot.press(*keys)
            await until(pilot, lambda note=note: str(loss.border_subtitle or "").startswith(note))  # type: ignore[misc]
            await pilot.pause()
            quickly = {pane.chart: pane.render_lines(pane.outer_size.region) for pane in grid.seen}
            assert len(by_textual) <= len(grid.seen) * 2, "most lines were ready"
            for pane in grid.seen:
                pane._styles_cache.clear()
            assert quickly == {pane.chart: pane.render_lines(pane.outer_size.region) for pane in grid.seen}


async def test_a_metric_called_like_a_pane_is_a_chart_and_nothing_else(tmp_path: Path) -> None:
    folder = finished_run(tmp_path, steps=50)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        grid = await opened(app, pilot, folder)
        screen = app.screen
        assert isinstance(screen, MonitorScreen)
        names = ("log", "events", "body", "loss")
        await grid.set_charts(replace(grid.arrangement, charts=names), names)
        log = pane_of(grid, "log")
        log.focus()
        await until(pilot, lambda: log.has_focus)
        await pilot.press("z")
        await until(pilot, lambda: [pane.chart for pane in grid.seen] == ["log"])
        assert not screen.query_one("#log").display, "the log itself stays away"
        await pilot.press("z")
        await until(pilot, lambda: len(grid.seen) == len(names))


async def test_another_theme_paints_the_charts_in_its_colours(tmp_path: Path) -> None:
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        grid = await opened(app, pilot, finished_run(tmp_path, steps=200))
        loss = pane_of(grid, "loss")
        before = loss.rows
        app.theme = next(name for name in app.available_themes if "light" in name)
        await until(pilot, lambda: loss.rows is not before)
        await pilot.pause()
        shown = [style for strip in shown_strips(app) for _, style, _ in strip if style]
        drawn = {segment.style.color for row in loss.rows for segment in row.strip if segment.style}
        assert drawn - {None} <= {style.color for style in shown}


async def test_the_best_is_marked_on_what_is_evaluated_alone(tmp_path: Path) -> None:
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(160, 60)) as pilot:
        grid = await opened(app, pilot, finished_run(tmp_path, steps=400))
        await until(
            pilot, lambda: all(pane.rows for pane in grid.seen) and pane_of(grid, "val_accuracy") in grid.seen
        )
        marked = {pane.chart for pane in grid.seen if "★" in pane.text}
        assert marked <= {"loss", "val_accuracy"} and "loss" in marked
