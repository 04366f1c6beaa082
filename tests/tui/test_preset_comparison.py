"""Marking presets in the list and laying their models beside one another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Static

from presets import catalog
from presets.config import with_values
from presets.estimate import Machine
from presets.schema import RunConfig
from tests.tui.pilots import shown_text, until
from tui.app import TinyTrainApp
from tui.screens import plan_screen
from tui.screens.launch import LaunchScreen
from tui.screens.launch_questions import Questions
from tui.screens.preset_comparison import PresetComparisonScreen
from tui.widgets.preset_list import PresetList

MACHINE = Machine(num_cores=2, memory_bytes=16_000_000_000, num_gpus=0)


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TinyTrainApp:
    """The dashboard on a machine that is always the same."""
    monkeypatch.setattr(plan_screen, "this_machine", lambda *_: MACHINE)
    monkeypatch.setattr(Questions, "count_gpus", lambda _self: None)
    return TinyTrainApp(tmp_path / "runs")


async def preset_list(pilot: Pilot[Any]) -> PresetList:
    await until(pilot, lambda: isinstance(pilot.app.screen, LaunchScreen) and pilot.app.screen.plan)
    found = pilot.app.screen.query_one(PresetList)
    await until(pilot, lambda: pilot.app.focused is found.options)
    return found


def marked(presets: PresetList) -> list[str]:
    options = presets.options
    lines = [str(options.get_option_at_index(index).prompt) for index in range(options.option_count)]
    return [line for line in lines if line.startswith("✓")]


async def compare(pilot: Pilot[Any], *names: str) -> PresetComparisonScreen:
    """Mark these presets with the keys a person presses, then compare."""
    presets = await preset_list(pilot)
    for name in names:
        presets.choose(catalog.find_preset(name))
        await pilot.press("space")
    await pilot.press("c")
    await until(pilot, lambda: isinstance(pilot.app.screen, PresetComparisonScreen))
    screen = pilot.app.screen
    assert isinstance(screen, PresetComparisonScreen)
    await until(pilot, lambda: screen.query(DataTable) and screen.query_one(DataTable).row_count)
    return screen


def cells(screen: PresetComparisonScreen) -> dict[str, list[str]]:
    table = screen.query_one(DataTable)
    rows = (table.get_row_at(index) for index in range(table.row_count))
    return {str(label).strip(): [str(cell) for cell in values] for label, *values in rows}


async def test_marked_presets_are_compared_in_the_lists_order_and_esc_goes_back(app: TinyTrainApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await compare(pilot, "hf-large", "v1-imdb-small")
        found = cells(screen)
        assert found["layers/heads/width"] == ["2/2/4", "6/8/16"]
        assert found["total"] == ["51,033", "191,845"]
        assert found["published"] == ["41,048", "182,112"]
        assert found["model.hidden_size"] == ["4", "16"]
        assert "FLOPs are steps" in str(screen.query_one("#bases Static", Static).render())
        await pilot.press("escape")
        presets = await preset_list(pilot)
        assert len(marked(presets)) == 2  # marks stay, to go on from


async def test_space_marks_and_takes_the_mark_away(app: TinyTrainApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        presets = await preset_list(pilot)
        await pilot.press("space")
        assert [line.split()[1] for line in marked(presets)] == ["quickstart"]
        await pilot.press("space")
        assert marked(presets) == []


async def test_one_mark_is_compared_with_the_preset_under_the_cursor(app: TinyTrainApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        presets = await preset_list(pilot)
        await pilot.press("space")
        presets.choose(catalog.find_preset("hf-large"))
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, PresetComparisonScreen))
        await until(pilot, lambda: "2 presets compared" in shown_text(app))
        assert "quickstart" in shown_text(app) and "HF large" in shown_text(app)


async def test_nothing_marked_says_what_to_do(app: TinyTrainApp) -> None:
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await preset_list(pilot)
        await pilot.press("c")
        await until(pilot, lambda: [note.message for note in app._notifications])
        (said,) = [note.message for note in app._notifications]
        assert "Mark two or more presets with space" in said
        assert isinstance(app.screen, LaunchScreen)


async def test_a_hostile_preset_is_shown_and_does_nothing(app: TinyTrainApp) -> None:
    config = with_values(RunConfig(), {"data.source": "hub", "data.dataset": "[red]\x1b[2J/\u202ex"})
    catalog.save_preset("evil", config)
    async with app.run_test(size=(80, 24)) as pilot:
        found = cells(await compare(pilot, "evil", "quickstart"))
        assert "[red]␛[2J/<202e>x" in found["data.dataset"][1]
        assert found["steps"][1] == "?"


async def test_all_presets_can_be_compared_and_the_table_scrolls_both_ways(app: TinyTrainApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await preset_list(pilot)
        screen = PresetComparisonScreen(catalog.shipped_presets(), MACHINE)
        app.push_screen(screen)
        await until(pilot, lambda: screen.is_current and screen.query(DataTable))
        table = screen.query_one(DataTable)
        await until(pilot, lambda: table.row_count)
        assert len(cells(screen)["total"]) == len(catalog.shipped_presets())
        await until(pilot, lambda: table.max_scroll_x > 80)
        await pilot.press("l", "right", "j", "down", "down")
        await until(pilot, lambda: table.scroll_x > 1 and table.scroll_y == 3)
        await pilot.press("h", "k")
        await until(pilot, lambda: table.scroll_y == 2)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
def test_the_comparison_looks_as_it_did(app: TinyTrainApp, snap_compare: Any, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[Any]) -> None:
        await compare(pilot, "v1-imdb-small", "hf-large", "h200_8gpu_fast")
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=before)
