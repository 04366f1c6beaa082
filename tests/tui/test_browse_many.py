"""Runs by the thousand and by the handful: arranged, remembered, marked, and acted on together."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button

from runs.folder import RunFolder, all_runs
from runs.trash import in_trash
from tests.run_writer import Supervision, finished_run, new_run
from tests.tui.pilots import shown_text, until
from tui.app import TinyTrainApp
from tui.screens.browse import RunsScreen
from tui.screens.columns_dialog import ColumnsDialog
from tui.screens.dialogs import ConfirmDialog, TextDialog
from tui.screens.pick_dialog import PickDialog
from tui.widgets.line_input import LineInput
from tui.widgets.run_painter import RunPainter
from tui.widgets.run_table import RunTable


async def listed(app: TinyTrainApp, pilot: Pilot[Any], num_runs: int) -> tuple[RunsScreen, RunTable]:
    await app.run_action("show_runs")
    screen = app.screen
    assert isinstance(screen, RunsScreen)
    await until(pilot, lambda: len(screen.rows) == num_runs)
    return screen, screen.query_one(RunTable)


def make_runs(runs: Path, *names: str) -> dict[str, RunFolder]:
    """Ended runs, the first the newest."""
    made = {}
    for number, name in enumerate(names):
        folder = finished_run(runs, name, steps=20)
        target = runs / f"20260101-0000{59 - number}-quickstart-aaaa"
        folder.path.rename(target)
        made[name] = RunFolder(target)
    return made


async def test_thousands_are_listed_and_only_those_in_view_are_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = finished_run(tmp_path / "one", steps=100)
    runs = tmp_path / "runs"
    for number in range(600):
        folder = runs / f"20260101-00{number // 60:02}{number % 60:02}-quickstart-aaaa"
        folder.mkdir(parents=True)
        (folder / "about.json").write_text(f'{{"name": "run-{number}"}}')
        shutil.copy(one.config_file, folder)
    app = TinyTrainApp(runs)
    async with app.run_test(size=(120, 40)) as pilot:
        screen, table = await listed(app, pilot, 600)
        drawn: list[int] = []
        original = RunPainter._draw
        monkeypatch.setattr(RunPainter, "_draw", lambda *a, **k: (drawn.append(1), original(*a, **k))[1])
        await pilot.press("end")
        await until(pilot, lambda: screen.selected is not None and screen.selected.name == "run-0")
        await until(pilot, lambda: "run-0 " in shown_text(app))
        assert len(drawn) < 120
        feed = screen._feed
        assert feed is not None and screen.selected is not None
        last = screen.selected.id
        await until(pilot, lambda: last in feed._in_sight and len(feed._in_sight) < 40)  # their details come first
        table.scroll_to(y=0, animate=False)
        await until(pilot, lambda: screen.rows[0].id in feed._in_sight and last not in feed._in_sight)
        await pilot.press("up", "down")
        await until(pilot, lambda: last in feed._in_sight)
        drawn.clear()
        await pilot.press("up")
        await until(pilot, lambda: screen.selected is not None and screen.selected.name == "run-1")
        await pilot.pause()
        assert len(drawn) <= 2
        await pilot.press("slash", *"run-57")
        await until(
            pilot, lambda: {row.name for row in screen.shown} == {"run-57", *(f"run-57{d}" for d in "0123456789")}
        )


async def test_marked_runs_are_deleted_together_and_come_back_also_after_a_restart(tmp_path: Path) -> None:
    folders = make_runs(tmp_path, "ant", "bee", "cat")
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(100, 30)) as pilot:
        screen, _ = await listed(app, pilot, 3)
        await pilot.press("space", "space")
        assert [run.about.name for run in screen.marked] == ["ant", "bee"]
        await until(pilot, lambda: "2 marked" in shown_text(app))
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog) and "Delete 2 runs?" in shown_text(app))
        assert app.screen.query_one("#no", Button).has_focus
        await pilot.press("y")
        await until(pilot, lambda: all_runs(tmp_path) == (folders["cat"],))
        await pilot.press("ctrl+z")
        await until(pilot, lambda: len(all_runs(tmp_path)) == 3)  # both: they were deleted together
        await until(pilot, lambda: len(screen.rows) == 3 and screen.selected)
        await pilot.press("home", "d")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog) and "Delete ant?" in shown_text(app))
        await pilot.press("y")
        await until(pilot, lambda: len(all_runs(tmp_path)) == 2)
    again = TinyTrainApp(tmp_path)
    async with again.run_test(size=(100, 30)) as pilot:
        await listed(again, pilot, 2)
        await pilot.press("ctrl+z")
        await until(pilot, lambda: isinstance(again.screen, PickDialog) and "Deleted runs" in shown_text(again))
        await pilot.press("enter")
        await until(pilot, lambda: len(all_runs(tmp_path)) == 3 and in_trash(tmp_path) == ())


async def test_tags_pins_and_the_archive_are_for_all_that_are_marked(tmp_path: Path) -> None:
    folders = make_runs(tmp_path, "ant", "bee", "cat")
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 30)) as pilot:
        screen, _ = await listed(app, pilot, 3)
        await pilot.press("down", "space", "space", "t")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        await pilot.press(*"keep paper", "enter")
        await until(pilot, lambda: folders["cat"].about().tags == folders["bee"].about().tags == ("keep", "paper"))
        assert folders["ant"].about().tags == ()
        await pilot.press("t")
        await until(pilot, lambda: isinstance(app.screen, TextDialog) and "Now: keep paper" in shown_text(app))
        await pilot.press(*"-keep", "enter")
        await until(pilot, lambda: folders["cat"].about().tags == folders["bee"].about().tags == ("paper",))
        await pilot.press("asterisk")
        await until(pilot, lambda: [row.name for row in screen.shown] == ["bee", "cat", "ant"])
        assert "★" in shown_text(app) or "◆" in shown_text(app)
        await pilot.press("a")
        await until(
            pilot, lambda: [row.name for row in screen.shown] == ["ant"] and "2 archived" in shown_text(app)
        )
        assert screen.marked == ()
        await pilot.press("A")
        await until(pilot, lambda: len(screen.shown) == 3)


async def test_live_runs_among_the_marked_are_stopped_and_never_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_runs(tmp_path, "ant")
    folder = new_run(tmp_path, "busy")
    supervision = Supervision(folder)
    supervision.state("running")
    stopped: list[RunFolder] = []
    full = [True]
    monkeypatch.setattr("runs.launch.stop", stopped.append)
    monkeypatch.setattr("tui.bulk_actions.has_no_room", lambda folder: full[0])
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(100, 30)) as pilot:
        screen, _ = await listed(app, pilot, 2)
        await pilot.press("ctrl+a", "x")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog) and "Stop busy?" in shown_text(app))
        assert "can save NO checkpoint" in shown_text(app) and app.screen.query_one("#no", Button).has_focus
        await pilot.press("escape")
        full[0] = False
        await until(pilot, lambda: app.screen is screen)
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog) and "Each saves" in shown_text(app))
        assert "NO checkpoint" not in shown_text(app) and not stopped
        await pilot.press("y")
        await until(pilot, lambda: stopped == [folder])
        await until(pilot, lambda: app.screen is screen)
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog) and "Delete ant?" in shown_text(app))
        await pilot.press("escape", "escape")
        assert not screen.marked and len(all_runs(tmp_path)) == 2
    supervision.close()


async def test_order_groups_columns_and_filter_are_there_at_the_next_start(tmp_path: Path) -> None:
    make_runs(tmp_path, "ant", "bee")
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 30)) as pilot:
        screen, _ = await listed(app, pilot, 2)
        await pilot.press("o", *"name", "enter")
        await until(pilot, lambda: screen.listing.sort == "name" and "by name" in shown_text(app))
        await pilot.press("g", *"preset", "enter")
        await until(pilot, lambda: "▾ quickstart   2 runs" in shown_text(app))
        await pilot.press("left")
        await until(pilot, lambda: "▸ quickstart   2 runs" in shown_text(app) and "bee" not in shown_text(app))
        await pilot.press("right")
        await until(pilot, lambda: "bee" in shown_text(app))
        await pilot.press("C")
        await until(pilot, lambda: isinstance(app.screen, ColumnsDialog))
        await pilot.press("slash", *"optim.lr", "enter", "space", "enter")
        await until(pilot, lambda: screen.listing.columns[-1:] == ("optim.lr",))
        await until(pilot, lambda: "do not fit" in shown_text(app))
        await pilot.press("slash", *"ant")
        await until(pilot, lambda: [row.name for row in screen.shown] == ["ant"])
        wanted = screen.listing
    again = TinyTrainApp(tmp_path)
    async with again.run_test(size=(200, 30)) as pilot:
        screen, _ = await listed(again, pilot, 2)
        assert screen.listing == wanted
        await until(pilot, lambda: [row.name for row in screen.shown] == ["ant"])
        await until(pilot, lambda: "0.001" in shown_text(again))  # the setting's column
        await pilot.press("escape")
        await until(pilot, lambda: len(screen.shown) == 2)


async def test_a_wrong_filter_is_explained_below_it_and_the_list_stays(tmp_path: Path) -> None:
    make_runs(tmp_path, "ant", "bee")
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(100, 30)) as pilot:
        screen, _ = await listed(app, pilot, 2)
        await pilot.press("slash", *"name:ant")
        await until(pilot, lambda: len(screen.shown) == 1)
        field = screen.query_one("#filter", LineInput)
        field.value = "name:ant lss<3"
        await until(pilot, lambda: "did you mean loss?" in shown_text(app))
        lines = shown_text(app).splitlines()
        at = next(number for number, line in enumerate(lines) if "lss<3" in line)
        assert lines[at].index("lss<3") == lines[at + 1].index("^")
        assert [row.name for row in screen.shown] == ["ant"]
        field.value = "name:ant loss<30"
        await until(pilot, lambda: "did you mean" not in shown_text(app))


async def test_a_click_chooses_a_run_and_one_on_a_head_sorts(tmp_path: Path) -> None:
    make_runs(tmp_path, "ant", "bee", "cat")
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 30)) as pilot:
        screen, table = await listed(app, pilot, 3)
        await pilot.click(RunTable, offset=(6, 3))
        await until(pilot, lambda: screen.selected is not None and screen.selected.name == "bee")
        await pilot.click(RunTable, offset=(17, 1))
        await until(pilot, lambda: screen.listing.sort == "name")
        assert screen.selected is not None and screen.selected.name == "bee"
        assert table.row_count == 3


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_names_get_the_room_that_is_left_over(tmp_path: Path, size: tuple[int, int]) -> None:
    name = "wordpiece-4000-again"
    make_runs(tmp_path, name)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=size) as pilot:
        await listed(app, pilot, 1)
        await until(pilot, lambda: name in shown_text(app))
