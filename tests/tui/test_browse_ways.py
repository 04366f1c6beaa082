"""From Runs to new runs and other screens: fork, clone, queue, compare."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.events import Key

from runs.folder import all_runs
from tests.tui.pilots import shown_text, until
from tests.tui.test_browse_many import listed, make_runs
from tui.app import TinyTrainApp
from tui.screens.compare import CompareScreen
from tui.screens.fork_dialog import ForkDialog
from tui.screens.launch import LaunchScreen
from tui.screens.monitor import MonitorScreen
from tui.widgets.line_input import LineInput


async def test_a_run_without_a_checkpoint_is_not_forked_and_settings_that_do_not_fit_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runs.fork import CheckpointFact

    make_runs(tmp_path, "ant")
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await listed(app, pilot, 1)
        await pilot.press("F")
        await until(pilot, lambda: "saved no" in shown_text(app))
        fact = CheckpointFact("step-00000100", 100, 5.4, 9_000_000, True, False)
        monkeypatch.setattr("runs.fork.checkpoint_facts", lambda folder: (fact,))
        await pilot.press("F")
        await until(
            pilot, lambda: isinstance(app.screen, ForkDialog) and "step 100 · val loss 5.4" in shown_text(app)
        )
        changes = app.screen.query_one("#changes", LineInput)
        assert changes.value == "train.max_steps=200 "  # the run was at its end
        for typed, said in (
            ("train.max_steps=50", "set it higher"), ("model.hidden_size=64", "model.hidden_size"),
            ("optim.lr=x", "optim.lr"), ("optim.lr='", "quotation"),
        ):  # fmt: skip
            changes.value = typed
            await until(pilot, lambda said=said: said in shown_text(app))
            await pilot.press("enter")
            assert isinstance(app.screen, ForkDialog)
        await pilot.press("escape")
        assert len(all_runs(tmp_path)) == 1


async def test_a_clone_opens_in_launch_where_a_field_can_be_changed(tmp_path: Path) -> None:
    folders = make_runs(tmp_path, "ant")
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(100, 30)) as pilot:
        await listed(app, pilot, 1)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen) and "finished" in shown_text(app))
        await pilot.press("N")  # from Monitor as from Runs
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen) and "Copy of ant" in shown_text(app))
        assert isinstance(app.screen, LaunchScreen)
        model = app.screen.form.model
        assert model.preset.config == folders["ant"].config() and not model.preset.shipped


async def test_marked_runs_are_queued_and_those_that_cannot_be_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = make_runs(tmp_path, "ant", "bee", "cat")
    folders["bee"].config_file.write_text("no configuration")
    queued: list[tuple[str, str]] = []
    monkeypatch.setattr("runs.logout.logout_risk", lambda: None)
    monkeypatch.setattr(
        "runs.queue.enqueue", lambda folder, resume="": queued.append((folder.about().name, resume))
    )
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        screen, _ = await listed(app, pilot, 3)
        await pilot.press("ctrl+a")
        await until(pilot, lambda: len(screen.marked) == 3)
        await pilot.press("r")
        await until(pilot, lambda: "2 of 3 runs: in the queue" in shown_text(app))
        assert queued == [("ant", ""), ("cat", "")]
        await until(pilot, lambda: any(toast.message.startswith("bee: ") for toast in app._notifications))


async def test_marked_runs_are_laid_over_each_other(tmp_path: Path) -> None:
    folders = make_runs(tmp_path, "ant", "bee", "cat")
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(100, 30)) as pilot:
        await listed(app, pilot, 3)
        await pilot.press("space", "down", "space", "c")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen) and app.screen.compared)
        assert isinstance(app.screen, CompareScreen) and app.screen.compared is not None
        assert [run.folder for run in app.screen.compared.snapshots] == [folders["ant"], folders["cat"]]


@pytest.mark.parametrize(
    "keys",
    [
        ("a", "x", "backspace", "n", "t"),
        ("x", "y", "ctrl+u", "a", "n", "t"),
        ("n", "t", "home", "a"),
        ("a", "t", "left", "n"),
        ("a", "n", "x", "left", "ctrl+k", "t"),
        ("x", "ctrl+w", "a", "n", "t", "enter"),
    ],
    ids=" ".join,
)
async def test_what_is_rubbed_out_and_typed_in_one_burst_keeps_its_order(
    tmp_path: Path, keys: tuple[str, ...]
) -> None:
    make_runs(tmp_path, "ant")
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(100, 30)) as pilot:
        screen, _ = await listed(app, pilot, 1)
        await pilot.press("slash")
        field = screen.query_one("#filter", LineInput)
        await until(pilot, lambda: field.has_focus)
        for key in keys:  # all at once, as they come from a paste or over a slow line
            app.post_message(Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: field.value == "ant")
        await pilot.pause(0.1)
        assert field.value == "ant" and field.has_focus == ("enter" not in keys)
