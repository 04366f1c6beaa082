"""Launch while it is put together or taken apart: answers that come then, and people who go on at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tui.pilots import shown_text, until
from tui.app import TinyTrainApp
from tui.messages import GpusCounted
from tui.screens.browse import RunsScreen
from tui.screens.launch import LaunchScreen
from tui.widgets.field_row import FieldRow


async def test_an_answer_that_comes_when_the_parts_are_gone_is_dropped(tmp_path: Path) -> None:
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = app.screen
        assert isinstance(screen, LaunchScreen)
        await until(pilot, lambda: screen.plan is not None and len(screen.query("FieldRow")) > 15)
        await until(pilot, lambda: screen._machine.num_gpus is not None)  # the real answer has come
        await screen.form.query("#nothing").remove()  # what an ending app does first
        plan = screen.plan
        screen.post_message(GpusCounted(8, ""))
        await pilot.pause()
        await pilot.pause()
        assert screen.plan is plan
    assert app.return_code in (0, None)


async def test_rows_and_questions_do_not_hold_up_whoever_goes_on_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.widgets.form._ROWS_DELAY_S", 600.0)
    monkeypatch.setattr("tui.screens.launch._ASK_DELAY_S", 600.0)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        launch = app.screen
        assert isinstance(launch, LaunchScreen)
        await pilot.press("3")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await launch.form.mount_rows()  # the timers' moment
        launch._ask()
        await pilot.pause(0.3)
        assert len(launch.query(FieldRow)) == 1, "the name's alone"
        assert launch._machine.num_gpus is None
        await pilot.press("1")
        await until(pilot, lambda: len(launch.query(FieldRow)) > 15)
        await until(pilot, lambda: launch._machine.num_gpus is not None)
        assert "steps" in shown_text(app)
