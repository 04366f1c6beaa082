"""The sweep dialog says what would come of what is typed; the table of results lives while its runs do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input, OptionList, Static

from runs.folder import RunFolder, all_runs
from tests.run_writer import sweep_member
from tests.tui.pilots import shown_text, until
from tui.app import TinyTrainApp
from tui.screens.launch import LaunchScreen
from tui.screens.sweep_dialog import SweepDialog, whole_name
from tui.screens.sweep_results import SweepResults, show_sweep
from tui.sweep_lines import fitting_columns
from tui.widgets.choice_control import ChoiceControl


@pytest.fixture
def app(tmp_path: Path) -> TinyTrainApp:
    return TinyTrainApp(tmp_path / "runs")


@pytest.fixture
def queued(monkeypatch: pytest.MonkeyPatch) -> list[RunFolder]:
    """What was put into the queue, in place of supervisors that wait."""
    folders: list[RunFolder] = []
    monkeypatch.setattr("runs.queue.enter", lambda made, despite_logout=False: tuple(made))
    monkeypatch.setattr("runs.queue.attend", lambda folder, entry: folders.append(folder))
    return folders


async def sweep_dialog(pilot: Pilot[Any]) -> SweepDialog:
    await until(pilot, lambda: isinstance(pilot.app.screen, LaunchScreen) and pilot.app.screen.plan)
    await pilot.press("S")
    await until(pilot, lambda: isinstance(pilot.app.screen, SweepDialog) and pilot.app.screen.query("#yes"))
    screen = pilot.app.screen
    assert isinstance(screen, SweepDialog)
    return screen


def fill(screen: SweepDialog, row: int, field: str, values: str) -> None:
    screen.query_one(f"#field-{row}", Input).value = field
    screen.query_one(f"#values-{row}", Input).value = values


async def test_the_dialog_counts_the_runs_and_says_what_is_wrong_where_it_is(app: TinyTrainApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await sweep_dialog(pilot)
        button = screen.query_one("#yes", Button)
        assert button.disabled and screen.query_one("#field-0", Input).value == "optim.lr"
        fill(screen, 0, "optim.lr", "1e-4,1e-3,1e-2")
        fill(screen, 1, "num_heads", "2,3,4")
        await until(pilot, lambda: screen.sweep is not None and len(screen.sweep.points) == 6)
        assert "Queue 6 runs" in str(button.label) and not button.disabled
        shown = " ".join(shown_text(app).split())
        assert "6 runs of about" in shown and "left out: lr=0.0001,num_heads=3" in shown
        fill(screen, 1, "num_heads", "2,x")
        await until(pilot, lambda: screen.sweep is None and button.disabled)
        assert "✗ model.num_heads: 'x' is not a whole number" in " ".join(shown_text(app).split())
        for width, height in ((80, 24), (60, 20), (120, 40)):  # nothing pushes the button off the screen
            await pilot.resize_terminal(width, height)
            fill(screen, 1, "num_heads", "2,3,4")
            fill(screen, 2, "batch_size", "16,32")
            await until(pilot, lambda: screen.sweep is not None and len(screen.sweep.points) == 12)
            await until(pilot, lambda rows=height: button.region.height == 1 and button.region.bottom < rows - 1)  # type: ignore[misc]
        fill(screen, 1, "num_heads", "2,x")
        await until(pilot, lambda: screen.sweep is None and button.disabled)
        await pilot.press("ctrl+g")
        await pilot.pause()
        assert app.screen is screen  # what is wrong is not queued
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))


def test_the_beginning_of_one_name_becomes_the_field() -> None:
    for text, name in (
        ("hidden_s", "model.hidden_size"), ("Learning r", "optim.lr"), ("model.num_l", "model.num_layers"),
        ("lr", "lr"), ("model.", "model."), ("", ""), ("nothing", "nothing"),
    ):  # fmt: skip
        assert whole_name(text) == name


def test_a_narrow_table_goes_without_what_is_missed_least() -> None:
    heads = ("", "best", "at", "last", "lr", "state", "step", "time")
    row = ("1", "5.0000", "100", "5.0000", "0.001", "finished", "100/100", "2s")
    at_width = {width: [heads[at] for at in fitting_columns([heads, row], width)] for width in (200, 46, 10)}
    assert at_width[200] == list(heads)
    assert at_width[46] == ["", "best", "lr", "state", "step", "time"]
    assert at_width[10] == ["", "best", "lr", "state"]


async def test_draws_come_from_ranges_and_the_seed(app: TinyTrainApp) -> None:
    async with app.run_test(size=(100, 36)) as pilot:
        screen = await sweep_dialog(pilot)
        fill(screen, 0, "optim.lr", "1e-5..1e-2:log")
        await until(pilot, lambda: "how many values a grid takes" in " ".join(shown_text(app).split()))
        screen.query_one(ChoiceControl).action_turn(1)
        await until(pilot, lambda: screen.sweep is not None and len(screen.sweep.points) == 10)
        first = screen.sweep
        screen.query_one("#seed", Input).value = "5"
        await until(pilot, lambda: screen.sweep not in (None, first))
        assert screen.sweep is not None and len(screen.sweep.points) == 10
        screen.query_one("#draws", Input).value = "many"
        await until(pilot, lambda: screen.sweep is None)
        assert "draws: give a whole number" in shown_text(app)


async def test_a_sweep_is_queued_from_what_stands_in_the_form_and_its_table_opens(
    app: TinyTrainApp, queued: list[RunFolder]
) -> None:
    async with app.run_test(size=(100, 36)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen) and app.screen.plan)
        launch = app.screen
        assert isinstance(launch, LaunchScreen)
        launch.form.model.set_text("train.max_steps", "7")
        screen = await sweep_dialog(pilot)
        fill(screen, 0, "optim.lr", "1e-4,1e-3")
        await until(pilot, lambda: screen.sweep is not None)
        await pilot.press("ctrl+g")
        await until(pilot, lambda: isinstance(app.screen, SweepResults) and app.screen.table)
        assert [folder.config().optim.lr for folder in queued] == [1e-4, 1e-3]
        assert {folder.config().train.max_steps for folder in queued} == {7}
        assert isinstance(app.screen, SweepResults) and app.screen.table is not None
        assert len(app.screen.table.rows) == 2
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is launch)


async def test_the_table_marks_the_best_follows_new_results_and_opens_a_run(
    app: TinyTrainApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[RunFolder] = []
    compared: list[tuple[RunFolder, ...]] = []

    async def open_run(_self: TinyTrainApp, folder: RunFolder) -> None:
        opened.append(folder)

    async def open_compare(_self: TinyTrainApp, folders: tuple[RunFolder, ...]) -> None:
        compared.append(folders)

    monkeypatch.setattr(TinyTrainApp, "open_run", open_run)
    monkeypatch.setattr(TinyTrainApp, "open_compare", open_compare)
    worse, better = (
        sweep_member(app.runs, "quick-1234", 6.5, lr=1e-4),
        sweep_member(app.runs, "quick-1234", 5.5, lr=1e-3),
    )
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen) and app.screen.plan)
        await until(pilot, lambda: len(all_runs(app.runs)) == 2)
        show_sweep(app, "quick-1234")
        await until(pilot, lambda: isinstance(app.screen, SweepResults) and app.screen.table)
        screen = app.screen
        options = screen.query_one("#rows", OptionList)
        await until(pilot, lambda: options.option_count == 2)
        assert [options.get_option_at_index(at).id for at in (0, 1)] == [better.id, worse.id]
        assert "★ 1  5.5000" in str(options.get_option_at_index(0).prompt)
        assert "best 5.5000 with lr 0.001" in str(screen.query_one("#state", Static).render())
        await pilot.press("down", "space")
        await until(pilot, lambda: str(options.get_option_at_index(1).prompt).startswith("•"))

        best = sweep_member(app.runs, "quick-1234", 4.5, lr=1e-2)
        await until(pilot, lambda: options.option_count == 3)
        assert options.get_option_at_index(0).id == best.id
        assert (
            options.get_option_at_index(options.highlighted or 0).id == worse.id
        )  # the cursor stays with its run
        await pilot.press("c")
        await until(pilot, lambda: compared == [(worse,)])
        show_sweep(app, "quick-1234")
        await until(pilot, lambda: isinstance(app.screen, SweepResults) and app.screen.table)
        await until(pilot, lambda: app.screen.query_one("#rows", OptionList).option_count == 3)
        await pilot.press("enter")
        await until(pilot, lambda: opened == [best])


async def test_runs_leads_from_a_run_to_the_table_of_its_sweep(app: TinyTrainApp) -> None:
    sweep_member(app.runs, "quick-1234", 6.5, lr=1e-4)
    sweep_member(app.runs, "quick-1234", 5.5, lr=1e-3)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen) and app.screen.plan)
        await pilot.press("3")
        await until(pilot, lambda: getattr(app.screen, "choice", None) is not None)
        await pilot.press("S")
        await until(pilot, lambda: isinstance(app.screen, SweepResults) and app.screen.table)
        assert isinstance(app.screen, SweepResults) and app.screen.table is not None
        assert [row.run.best_loss for row in app.screen.table.rows] == [5.5, 6.5]
