"""The panel of a failed run says with which settings it failed, in as many lines as there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from presets.catalog import find_preset
from presets.config import with_values
from runs.folder import RunFolder, create_run
from tests.run_writer import AttemptWriter
from tests.tui.pilots import shown_text, until
from tui.app import TinyTrainApp
from tui.widgets.failure_panel import FailurePanel

CHANGES = {"optim.lr": 3e-3, "train.batch_size": 256, "train.max_steps": 777, "model.dropout": 0.25}


def failed_run(runs: Path) -> RunFolder:
    config = with_values(find_preset("v1-imdb-small").config, CHANGES)
    writer = AttemptWriter(create_run(runs, config, name="warm-otter", preset="v1-imdb-small"))
    writer.start(num_processes=4)
    writer.run_to(220)
    writer.console.write("".join(f"line {number} of the log\n" for number in range(40)))
    writer.fail("OutOfMemoryError", "CUDA out of memory", rank=2, hint="lower train.batch_size")
    return writer.folder


@pytest.mark.parametrize("size", [(200, 60), (120, 40), (80, 24), (60, 14)])
async def test_a_failed_run_shows_its_settings_folded_with_a_sign(tmp_path: Path, size: tuple[int, int]) -> None:
    folder = failed_run(tmp_path)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=size) as pilot:
        await app.open_run(folder)
        await until(pilot, lambda: "batch 256 · length 128 · fp32 · 4 × cpu" in shown_text(app))
        if size[0] >= 120:
            await until(pilot, lambda: "changed from v1-imdb-small: " in shown_text(app))
            await until(pilot, lambda: "train.batch_size: " in shown_text(app) and "→ 256" in shown_text(app))
            return
        await until(pilot, lambda: " more: z" in shown_text(app))
        assert "R resumes at once" in shown_text(app), "the way on stays in sight"
        panel = app.screen.query_one(FailurePanel)
        await until(pilot, lambda: app.screen.region.contains_region(panel.region))
        await until(pilot, lambda: app.screen.max_scroll_y == 0, 3)
        await until(pilot, lambda: app.focused is panel)
        await pilot.press("z")
        if size[1] >= 24:
            await until(pilot, lambda: "→ 0.003" in shown_text(app) and "→ 777" in shown_text(app))
            assert " more" not in shown_text(app).split("printed last")[0]


async def test_on_a_very_low_terminal_the_cause_comes_first_and_all_of_it_scrolls(tmp_path: Path) -> None:
    folder = failed_run(tmp_path)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(60, 14)) as pilot:
        await app.open_run(folder)
        await until(pilot, lambda: "CUDA out of memory" in shown_text(app) and "R resumes" in shown_text(app))
        await until(pilot, lambda: app.focused is app.screen.query_one(FailurePanel))
        await pilot.press("end")
        await until(pilot, lambda: "line 39 of the log" in shown_text(app))
        await pilot.resize_terminal(120, 40)
        await until(pilot, lambda: "line 39 of the log" in shown_text(app) and "R resumes" in shown_text(app))
