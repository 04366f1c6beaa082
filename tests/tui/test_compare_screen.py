"""Compare: curves over each other, the settings that differ, figures with the best marked, probes side by side."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import OptionList

from presets import config as configs
from presets.schema import RunConfig
from runs.folder import RunFolder, create_run
from tests.run_writer import AttemptWriter, Supervision, finished_run, new_run, two_runs
from tests.tui.pilots import shown_text, until
from tui.app import TinyTrainApp
from tui.charts.pane import ChartPane
from tui.index_feed import RunsListed
from tui.screens.choose_runs import ChooseRunsDialog
from tui.screens.compare import CompareScreen
from tui.screens.pick_dialog import PickDialog
from tui.widgets.line_input import LineInput
from tui.widgets.side_by_side import SideBySide


@pytest.fixture
def runs(runs_path: Path) -> Path:
    """Two runs that differ in learning rate and steps."""
    two_runs(runs_path)
    return runs_path


def folders_of(runs: Path) -> tuple[RunFolder, ...]:
    return tuple(
        RunFolder(path) for path in sorted(runs.iterdir(), key=lambda path: RunFolder(path).about().created)
    )


def at_compare(folders: tuple[RunFolder, ...]) -> TinyTrainApp:
    """A dashboard that was left at Compare with these runs: it begins there, without the other screens."""
    app = TinyTrainApp(folders[0].path.parent)
    app.remembered.put("app", {"screen": "compare"})
    app.remembered.put("compare", {"runs": [folder.id for folder in folders]})
    return app


async def opened(pilot: Pilot[Any], folders: tuple[RunFolder, ...]) -> CompareScreen:
    """Compare with these runs, read and drawn."""
    app = pilot.app
    assert isinstance(app, TinyTrainApp)
    await app.open_compare(folders)
    screen = app.screen
    assert isinstance(screen, CompareScreen)
    await until(pilot, lambda: screen.compared is not None and screen.compared.share_read == 1.0)
    await until(pilot, lambda: "step" in screen.query_one(ChartPane).text)
    return screen


def labels(screen: CompareScreen, pane: str) -> list[str]:
    return [row.label for row in screen.query_one(f"#{pane}", SideBySide).rows]


def cells(screen: CompareScreen, pane: str, label: str) -> list[str]:
    rows = screen.query_one(f"#{pane}", SideBySide).rows
    return next([cell.text for cell in row.cells] for row in rows if row.label.startswith(label))


async def test_two_runs_are_laid_over_each_other_with_what_differs_and_who_is_best(runs: Path) -> None:
    app = at_compare(folders_of(runs))
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, folders_of(runs))
        text = shown_text(app)
        assert "A warm-otter" in text and "B small-lr" in text
        assert "train loss (nats)" in text and "Settings, 2 differ" in text
        assert not screen.query_one("#notes").display  # nothing to note takes no line
        assert set(screen.query_one(ChartPane).text) & {"A", "B"} == {"A", "B"}  # a letter on each curve
        assert "unigram 6.54" in screen.query_one(ChartPane).text  # which is the same for both
        assert labels(screen, "settings") == ["optim.lr", "train.max_steps (steps)"]
        best = cells(screen, "figures", "val loss, best")
        assert [cell.startswith("★") for cell in best] == [True, False]


async def test_the_crosshair_reads_all_curves_and_an_ended_run_has_nothing_there(runs: Path) -> None:
    app = at_compare(folders_of(runs))
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, folders_of(runs))
        await until(pilot, lambda: screen.focused is screen.query_one(ChartPane))
        await pilot.press("left")
        await until(pilot, lambda: cells(screen, "runs", "B")[2] == "-")
        assert float(cells(screen, "runs", "A")[2]) < 6
        assert "step 400" in shown_text(app)
        await pilot.press("escape")
        await until(pilot, lambda: cells(screen, "runs", "B")[2] != "-")


async def test_another_metric_is_chosen_by_a_part_of_its_name_or_step_by_step(runs: Path) -> None:
    app = at_compare(folders_of(runs))
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, folders_of(runs))
        await pilot.press("g")
        await until(pilot, lambda: isinstance(app.screen, PickDialog))
        await pilot.press(*"gradient", "enter")
        await until(pilot, lambda: app.screen is screen and screen.metric == "grad_norm")
        await until(pilot, lambda: "gradient norm" in shown_text(app))
        await pilot.press("comma")
        await until(pilot, lambda: screen.metric == "lr" and "learning rate" in shown_text(app))
        await pilot.press("full_stop")
        await until(pilot, lambda: screen.metric == "grad_norm")


async def test_all_settings_can_be_seen_searched_and_jumped_through(runs: Path) -> None:
    app = at_compare(folders_of(runs))
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, folders_of(runs))
        await pilot.press("A")
        await until(pilot, lambda: "≠ optim.lr" in labels(screen, "settings"))
        settings = screen.query_one("#settings", SideBySide)
        await until(pilot, lambda: screen.focused is settings)
        await pilot.press("home", "right_square_bracket")
        assert settings.key == "optim.lr"
        await pilot.press("right_square_bracket")
        assert settings.key == "train.max_steps"
        await pilot.press("left_square_bracket")
        assert settings.key == "optim.lr"
        await pilot.press("slash")
        await until(pilot, lambda: isinstance(screen.focused, LineInput))
        await pilot.press(*"warm", "enter")
        await until(pilot, lambda: "optim.warmup_ratio" in labels(screen, "settings"))
        assert "optim.lr" not in shown_text(app)
        await pilot.press("escape")
        await until(pilot, lambda: "≠ optim.lr" in labels(screen, "settings"))


async def test_probes_of_earlier_steps_are_scrubbed_to(runs: Path) -> None:
    app = at_compare(folders_of(runs))
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, folders_of(runs))
        screen.to_pane("probes")
        await until(pilot, lambda: screen.focused is screen.query_one("#probes"))
        assert cells(screen, "probes", "1")[0].startswith("states 29.")
        await pilot.press("left", "left", "left", "left", "left")
        await until(pilot, lambda: "Probes at step 0" in shown_text(app))
        assert cells(screen, "probes", "1")[0].startswith("states 2.")
        await pilot.press("escape")
        await until(pilot, lambda: cells(screen, "probes", "1")[0].startswith("states 29."))


async def test_runs_are_added_hidden_and_taken_out_from_here(runs: Path) -> None:
    third = finished_run(runs, "third", steps=100)
    app = at_compare(folders_of(runs)[:2])
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, folders_of(runs)[:2])
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, ChooseRunsDialog) and app.screen.rows)
        dialog = app.screen
        assert isinstance(dialog, ChooseRunsDialog) and len(dialog.marked) == 2
        await pilot.press("slash", *"loss<x")
        await until(pilot, lambda: dialog.query_one("#wrong").display)  # a wrong filter is explained in place
        await pilot.press(*["backspace"] * 6, *"name:third", "enter")
        await until(pilot, lambda: dialog.query_one(OptionList).option_count == 1)
        await pilot.press("space", "enter")
        await until(pilot, lambda: app.screen is screen and len(screen.folders) == 3)
        await until(pilot, lambda: len(labels(screen, "runs")) == 3)
        assert screen.folders[2] == third
        screen.to_pane("runs")
        screen.query_one("#runs", SideBySide).go_to(third.id)
        await until(pilot, lambda: "C" in screen.query_one(ChartPane).text)
        await pilot.press("space")
        await until(pilot, lambda: "C" not in screen.query_one(ChartPane).text and "hidden" in shown_text(app))
        await pilot.press("backspace")
        await until(pilot, lambda: third not in screen.folders and len(labels(screen, "runs")) == 2)
        assert third.path.is_dir()  # the run itself stays
        await app.open_compare((third,))  # as c on one run does: it comes to the others
        assert len(screen.folders) == 3
        screen.set_runs((third,))
        await until(pilot, lambda: len(labels(screen, "runs")) == 1)
        screen.to_pane("settings")
        await until(pilot, lambda: "One run alone. c adds others." in shown_text(app))


async def test_a_live_run_moves_and_its_figures_with_it(runs: Path) -> None:
    folder = new_run(runs, "alive", max_steps=1000)
    supervision = Supervision(folder)
    supervision.state("running")
    writer = AttemptWriter(folder)
    writer.start(total_steps=1000)
    writer.run_to(100)
    app = TinyTrainApp(runs)
    try:
        async with app.run_test(size=(120, 40)) as pilot:
            screen = await opened(pilot, (folders_of(runs)[0], folder))
            await until(pilot, lambda: cells(screen, "runs", "B")[1] == "  100/1,000")
            writer.run_to(300)
            await until(pilot, lambda: cells(screen, "runs", "B")[1] == "  300/1,000")
            await until(pilot, lambda: cells(screen, "figures", "steps") == ["400", "300"])
    finally:
        writer.close()
        supervision.close()


async def test_a_small_terminal_shows_one_pane_at_a_time_and_tab_goes_through_them(runs: Path) -> None:
    app = at_compare(folders_of(runs))
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, folders_of(runs))
        assert "A warm-otter" in screen.query_one(ChartPane).text  # the names stand in the chart
        for name, words in (
            ("runs", "finished"),
            ("figures", "★"),
            ("settings", "optim.lr"),
            ("probes", "[MASK]"),
        ):
            await pilot.press("tab")
            await until(pilot, lambda name=name: screen.focused is not None and screen.focused.id == name)
            await until(pilot, lambda words=words: words in shown_text(app))
        await pilot.press("tab")
        await until(pilot, lambda: screen.focused is screen.query_one(ChartPane))
        await pilot.click("#tabs", offset=(19, 0))  # the names can be clicked
        await until(pilot, lambda: screen.focused is screen.query_one("#figures"))


async def test_a_focus_that_comes_late_takes_nobody_back_who_tabs_fast(runs: Path) -> None:
    app = at_compare(folders_of(runs))
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, folders_of(runs))
        for _ in range(3):
            screen.action_next_pane(1)
            screen.on_descendant_focus(events.DescendantFocus(screen.query_one("#runs")))
        await until(pilot, lambda: screen.focused is screen.query_one("#settings"))
        await pilot.click("#runs")
        await until(pilot, lambda: screen.focused is screen.query_one("#runs"))
        await pilot.press("tab")
        await until(pilot, lambda: screen.focused is screen.query_one("#figures"))


async def test_nothing_to_compare_says_what_to_do(runs_path: Path) -> None:
    app = TinyTrainApp(runs_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("4")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen))
        await until(pilot, lambda: "Nothing to compare yet" in shown_text(app))
        await pilot.press("g", "z", "W", "space", "backspace", "enter", "y", "tab")
        assert isinstance(app.screen, CompareScreen)


async def test_the_first_visit_shows_the_newest_runs_and_says_how_to_choose_others(runs: Path) -> None:
    app = TinyTrainApp(runs)
    async with app.run_test(size=(200, 60)) as pilot:
        await pilot.press("4")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen) and len(app.screen.folders) == 2)
        screen = app.screen
        assert isinstance(screen, CompareScreen)
        await until(pilot, lambda: len(labels(screen, "runs")) == 2)
        text = shown_text(app)
        assert "The newest runs, to begin with. c chooses others" in text
        assert "c Choose runs" in text and "3 Runs" in text  # neither key hides the other
        assert app.remembered.get("compare")["runs"] == []  # nobody chose them
        await app.open_compare(folders_of(runs)[1:])  # what is chosen takes the place of what was proposed
        assert screen.folders == folders_of(runs)[1:] and "to begin with" not in shown_text(app)
        await app.open_compare(folders_of(runs)[:1])
        screen.to_pane("runs")
        await until(pilot, lambda: len(screen.folders) == len(labels(screen, "runs")) == 2)
        await until(pilot, lambda: screen.run_here and f"{screen.run_here.id} · preset" in shown_text(app))
        await pilot.press("backspace")
        await until(pilot, lambda: len(labels(screen, "runs")) == 1)
        await pilot.press("backspace", "3")
        await until(pilot, lambda: app.screen is not screen)
        await pilot.press("4")
        await until(pilot, lambda: "Nothing to compare yet" in shown_text(app))  # they were taken out on purpose
        assert app.remembered.get("compare")["runs"] == []


async def test_a_run_that_is_deleted_meanwhile_leaves_the_comparison(runs: Path) -> None:
    first, second = folders_of(runs)
    app = at_compare((first, second))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        screen = await opened(pilot, (first, second))
        second.path.rename(runs / "gone")
        screen.look_now()
        await until(pilot, lambda: screen.folders == (first,) and len(labels(screen, "runs")) == 1)
        assert [note.message for note in app._notifications] == ["Took out a run that was deleted."]


async def test_a_mark_moves_no_line_while_runs_go_on(runs: Path) -> None:
    first, _ = folders_of(runs)
    app = at_compare((first,))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, (first,))
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, ChooseRunsDialog) and app.screen.rows)
        dialog = app.screen
        assert isinstance(dialog, ChooseRunsDialog)
        before = [row.id for row in dialog._shown]
        assert before[0] == first.id and "run " in shown_text(app) and "val loss" in shown_text(app)
        await pilot.press("space", "down", "space")
        dialog.post_message(RunsListed(dialog.rows))
        await pilot.press("x")
        assert [row.id for row in dialog._shown] == before and list(dialog.marked) == [before[1]]


async def test_what_was_compared_is_there_again_at_the_next_start(runs: Path) -> None:
    first = TinyTrainApp(runs)
    async with first.run_test(size=(120, 40)) as pilot:
        await opened(pilot, folders_of(runs))
        await pilot.press("full_stop", "L", "A")
        await until(pilot, lambda: first.screen.query_one(ChartPane).view.log_y)
    again = TinyTrainApp(runs)
    async with again.run_test(size=(120, 40)) as pilot:
        await again.run_action("show_compare")
        await until(pilot, lambda: isinstance(again.screen, CompareScreen))
        screen = again.screen
        assert isinstance(screen, CompareScreen)
        await until(pilot, lambda: screen.compared is not None)
        assert screen.folders == folders_of(runs) and screen.metric == "val_loss"
        assert screen.query_one(ChartPane).view.log_y
        assert "≠ optim.lr" in labels(screen, "settings")


async def test_anything_may_be_remembered_and_a_run_that_is_gone_is_left_out(runs: Path) -> None:
    app = TinyTrainApp(runs)
    app.remembered.put("compare", {"runs": ["gone", 5], "metric": 3, "view": 7, "everything": "yes"})
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, (*folders_of(runs), RunFolder(runs / "20250101-000000-gone-abcd")))
        assert screen.folders == folders_of(runs) and screen.metric == "loss"
        assert labels(screen, "settings") == ["optim.lr", "train.max_steps (steps)"]


async def test_the_report_is_written_and_its_place_said(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = at_compare(folders_of(runs))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await opened(pilot, folders_of(runs))
        await pilot.press("W")
        target = tmp_path / f"{folders_of(runs)[0].id}.html"
        await until(pilot, target.exists)
        await until(pilot, lambda: any(str(target)[-30:] in note.message for note in app._notifications))


async def test_an_idle_comparison_draws_nothing(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = at_compare(folders_of(runs))
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, folders_of(runs))
        await until(pilot, lambda: screen.compared is not None)
        posted: list[object] = []
        await asyncio.sleep(0.3)
        monkeypatch.setattr(screen._feed, "_target", SimpleNamespace(post_message=posted.append))
        screen.look_now()
        await asyncio.sleep(0.3)
        assert posted == []


async def test_hostile_names_do_nothing_here(runs_path: Path) -> None:
    evil = "[red]\x1b[2J\u202e]x[/"
    config = configs.with_values(RunConfig(), {"data.dataset": "[@click=app.quit]\x9b"})
    folders = []
    for _ in range(2):
        folder = create_run(runs_path, config, name=evil)
        writer = AttemptWriter(folder)
        writer.start(total_steps=100)
        writer.run_to(100)
        writer.end("finished")
        folders.append(folder)
    app = at_compare(tuple(folders))
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, tuple(folders))
        await pilot.press("A", "g")
        await until(pilot, lambda: isinstance(app.screen, PickDialog))
        await pilot.press("escape", "c")
        await until(pilot, lambda: isinstance(app.screen, ChooseRunsDialog) and app.screen.rows)
        text = shown_text(app)
        assert "[red]␛[2J<202e>]x[/" in text and "\x1b" not in text
