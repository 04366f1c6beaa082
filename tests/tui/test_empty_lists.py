"""A list with nothing in it says why, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.screen import ModalScreen

from runs.folder import RunFolder
from tests.tui.pilots import shown_text, until
from tests.tui.stages import Stage
from tests.tui.test_ascii import stage as stage
from tui.app import TinyTrainApp
from tui.chart_arrangement import Arrangement
from tui.playground_state import Tried
from tui.screens.arrange_charts import ArrangeCharts
from tui.screens.choose_runs import ChooseRunsDialog
from tui.screens.columns_dialog import ColumnsDialog
from tui.screens.pick_checkpoint import PickCheckpoint
from tui.screens.pick_dialog import Choice, PickDialog
from tui.screens.pick_tried import PickTried
from tui.screens.recent_configs import RecentDialog

Make = Callable[[Stage], ModalScreen[Any]]
ONE = (Choice("loss", "loss"),)

EMPTY: dict[str, tuple[Make, tuple[str, ...]]] = {
    "tried": (
        lambda stage: PickTried(()),
        ("Nothing was tried yet.", "Press esc, then e, and type; it is kept here."),
    ),
    "checkpoint": (
        lambda stage: PickCheckpoint("Which?", stage.runs, None),
        ("No run has saved a checkpoint yet.", "Press esc, then n, to start one."),
    ),
    "runs": (lambda stage: ChooseRunsDialog(stage.runs, ()), ("No runs yet.", "Press esc, then n, to start one.")),
    "recent": (lambda stage: RecentDialog(stage.runs, ()), ("No runs yet. Choose a preset and press ctrl+l",)),
}
UNMATCHED: dict[str, tuple[Make, str]] = {
    "tried": (lambda stage: PickTried((Tried("the [MASK]"),)), "No text has these words."),
    "runs": (lambda stage: ChooseRunsDialog(stage.runs, ()), "No run matches."),
    "charts": (lambda stage: ArrangeCharts(Arrangement(), ()), "No chart is called that."),
    "columns": (lambda stage: ColumnsDialog(ONE, ()), "nothing is called that"),
    "pick": (lambda stage: PickDialog("Order by", ONE), "nothing is called that"),
}


@pytest.mark.parametrize("size", [(80, 24), (60, 14)])
@pytest.mark.parametrize("name", EMPTY)
async def test_an_empty_list_says_what_to_do(stage: Stage, name: str, size: tuple[int, int]) -> None:
    make, said = EMPTY[name]
    app = TinyTrainApp(stage.runs)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.screen.is_mounted)
        await app.push_screen(make(stage))
        await until(pilot, lambda: all(words in shown_text(app) for words in said))
        await pilot.press("down", "enter")
        assert all(words in shown_text(app) for words in said), "there is nothing to choose"


@pytest.mark.parametrize("name", UNMATCHED)
async def test_a_filter_that_matches_nothing_says_so(stage: Stage, name: str) -> None:
    folder: RunFolder = stage.run("warm-otter")
    make, said = UNMATCHED[name]
    app = TinyTrainApp(stage.runs)
    async with app.run_test(size=(60, 14)) as pilot:
        await until(pilot, lambda: app.screen.is_mounted)
        await app.push_screen(make(stage))
        if name == "runs":
            await until(pilot, lambda: folder.about().name in shown_text(app))
        if name != "pick":
            await pilot.press("slash")
        await pilot.press(*"zzz")
        await until(pilot, lambda: said in shown_text(app))
        await pilot.press("enter", "enter")
        await until(pilot, lambda: said in shown_text(app))
