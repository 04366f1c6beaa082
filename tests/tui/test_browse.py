"""Runs lists every run, finds and orders them, and deletes only what it may."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.widgets import Input, Static

from runs.folder import all_runs
from tests.run_writer import AttemptWriter, Supervision, finished_run, new_run
from tests.tui.pilots import shown_text as text_of
from tui.app import TinyTrainApp
from tui.run_cells import spark
from tui.screens.browse import RunsScreen
from tui.screens.dialogs import ConfirmDialog
from tui.screens.edit_run import EditRunDialog
from tui.screens.monitor import MonitorScreen
from tui.widgets.run_table import RunTable


async def until(is_true: Callable[[], object], what: str, timeout_s: float = 15) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        await asyncio.sleep(0.02)


async def listed(app: TinyTrainApp, num_runs: int) -> RunsScreen:
    await app.run_action("show_runs")
    screen = app.screen
    assert isinstance(screen, RunsScreen)
    await until(lambda: screen.query_one(RunTable).row_count == num_runs, f"{num_runs} rows")
    return screen


async def test_without_runs_it_says_what_to_do(tmp_path: Path) -> None:
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(80, 24)):
        await app.run_action("show_runs")
        await until(lambda: "No runs yet. Press n to start one." in text_of(app), "the sentence")


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 60)])
async def test_every_run_has_a_row_with_its_state_and_figures(tmp_path: Path, size: tuple[int, int]) -> None:
    finished_run(tmp_path, "good", steps=300)
    writer = AttemptWriter(new_run(tmp_path, "bad"))
    writer.start()
    writer.run_to(100)
    writer.fail("OutOfMemoryError", "CUDA out of memory", rank=3)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=size):
        await listed(app, 2)
        await until(lambda: "✓ finished" in text_of(app) and "✗ failed" in text_of(app), "the states")
        assert "300/300" in text_of(app) and "100/1,200" in text_of(app)
        if size[0] >= 120:
            await until(lambda: "rank 3: Out" in text_of(app), "the cause")
            await until(lambda: text_of(app).count(" addresses ") == 2, "what each was trained on")


async def test_a_live_run_moves_under_a_cursor_that_stays(tmp_path: Path) -> None:
    old = finished_run(tmp_path, "old", steps=100)
    old.path.rename(tmp_path / "20200101-000000-quickstart-aaaa")  # the order is that of the ids
    folder = new_run(tmp_path, "alive")
    supervision = Supervision(folder)
    supervision.state("running")
    writer = AttemptWriter(folder)
    writer.start()
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await listed(app, 2)
        await pilot.press("down")
        assert screen.selected is not None and screen.selected.name == "old"
        writer.run_to(230)
        await until(lambda: "230/1,200" in text_of(app), "the step")
        finished_run(tmp_path, "newer", steps=100)
        await until(lambda: screen.query_one(RunTable).row_count == 3, "the new run")
        assert screen.selected is not None and screen.selected.name == "old"
    writer.close()
    supervision.close()


async def test_enter_opens_the_run_in_monitor(tmp_path: Path) -> None:
    folder = finished_run(tmp_path, steps=100)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await listed(app, 1)
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, MonitorScreen), "Monitor")
        assert isinstance(app.screen, MonitorScreen) and app.screen.folder == folder


async def test_the_filter_narrows_while_it_is_typed_and_esc_clears_it(tmp_path: Path) -> None:
    finished_run(tmp_path, "warm-otter", steps=100)
    finished_run(tmp_path, "cold-fox", steps=100, preset="v1-imdb-small")
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await listed(app, 2)
        await pilot.press("slash", *"preset:v1")
        await until(lambda: [row.name for row in screen.shown] == ["cold-fox"], "one run")
        assert "1 of 2" in str(screen.query_one(RunTable).border_subtitle)
        await until(lambda: "enter To the list  esc Clear" in text_of(app), "how to get out of it")
        assert "/ Filter" not in text_of(app), "that is text here"
        assert screen.query_one(RunTable).outer_size.width == 120, "the list keeps its width"
        screen.query_one("#filter", Input).value = "nothing-like-it"
        await until(lambda: "No run matches" in text_of(app), "the sentence")
        await pilot.press("escape")
        await until(lambda: len(screen.shown) == 2 and not screen.query_one("#filter").display, "all runs")
        assert not screen.query_one("#empty", Static).display


async def test_a_deletion_is_asked_for_and_can_be_taken_back(tmp_path: Path) -> None:
    folder = finished_run(tmp_path, steps=100)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await listed(app, 1)
        await pilot.press("d")
        await until(lambda: isinstance(app.screen, ConfirmDialog), "the question")
        await pilot.press("escape")
        assert folder.path.exists()
        await pilot.press("d")
        await until(lambda: isinstance(app.screen, ConfirmDialog), "the question again")
        await pilot.press("y")
        await until(lambda: not folder.path.exists(), "the deletion")
        await until(lambda: "No runs yet" in text_of(app), "the empty list")
        await pilot.press("ctrl+z")
        await until(lambda: folder.path.exists() and "warm-otter" in text_of(app), "it is back")
        assert all_runs(tmp_path) == (folder,)


async def test_a_live_run_cannot_be_deleted_nor_resumed(tmp_path: Path) -> None:
    folder = new_run(tmp_path)
    supervision = Supervision(folder)
    supervision.state("running")
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await listed(app, 1)
        assert screen.check_action("stop", ()) is True
        assert screen.check_action("delete", ()) is screen.check_action("resume", ()) is False
        await pilot.press("d")
        assert app.screen is screen
    supervision.close()


async def test_name_tags_and_note_are_edited_in_place(tmp_path: Path) -> None:
    folder = finished_run(tmp_path, steps=100)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await listed(app, 1)
        await pilot.press("e")
        await until(lambda: isinstance(app.screen, EditRunDialog), "the dialog")
        app.screen.query_one("#name", Input).value = "better name"
        app.screen.query_one("#tags", Input).value = "keep, keep paper"
        await pilot.press("enter")
        await until(lambda: folder.about().tags == ("keep", "paper"), "the file")
        await until(lambda: "better name" in text_of(app), "the row")


def test_a_small_curve_falls_as_the_losses_do() -> None:
    assert spark((8.0, 6.0, 4.0), 12) == "█▅▁"  # the middle rounds to the even level
    assert spark((1.0,), 12) == ""
    assert len(spark(tuple(float(value) for value in range(64)), 12)) == 12
    assert spark((8.0, float("inf"), 6.0, 4.0), 12) == "█▅▁"
