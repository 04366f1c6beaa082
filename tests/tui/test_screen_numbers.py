"""The same number goes to the same screen everywhere, and the footer says so where there is room."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from tests.tui.pilots import shown_text, until
from tests.tui.stages import Stage
from tests.tui.test_ascii import stage as stage
from tui.app import TinyTrainApp

KINDS = {
    "1": "LaunchScreen", "2": "MonitorScreen", "3": "RunsScreen", "4": "CompareScreen", "5": "PlaygroundScreen",
    "6": "DataScreen",
}  # fmt: skip
LINE = ("1 Launch", "2 Monitor", "3 Runs", "4 Compare", "5 Playground", "6 Data")


async def went(pilot: Pilot[Any], number: str) -> None:
    await pilot.press(number)
    await until(pilot, lambda: type(pilot.app.screen).__name__ == KINDS[number])


@pytest.mark.parametrize("first", KINDS)
async def test_from_every_screen_a_number_goes_to_each(stage: Stage, first: str) -> None:
    stage.company()
    app = TinyTrainApp(stage.runs)
    async with app.run_test(size=(200, 60)) as pilot:
        await until(pilot, lambda: app.screen.is_mounted)
        await went(pilot, first)
        await until(pilot, lambda: all(words in shown_text(app).split("\n")[-1] for words in LINE))
        await pilot.resize_terminal(120, 40)
        await until(pilot, lambda: "1–6 screens" in shown_text(app).split("\n")[-1])
        for number in KINDS:
            await went(pilot, number)
            await went(pilot, first)
