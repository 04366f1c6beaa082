"""Answers that come while the Launch screen is being put together or taken apart."""

from __future__ import annotations

from pathlib import Path

from tests.tui.pilots import until
from tui.app import TinyTrainApp
from tui.messages import GpusCounted
from tui.screens.launch import LaunchScreen


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
