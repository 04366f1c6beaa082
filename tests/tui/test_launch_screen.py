"""The Launch screen: presets, plan, what stands against launching, and a launch that starts a real supervisor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Button, Input, Static

from presets import catalog
from presets.config import with_values
from presets.schema import RunConfig
from runs.folder import RunFolder, all_runs
from runs.hub import HubStatus
from tests.tui.pilots import until
from tui.app import TinyTrainApp
from tui.messages import DataLookedUp
from tui.plan import data_key
from tui.screens.dialogs import ChoiceDialog, ConfirmDialog
from tui.screens.launch import LaunchScreen
from tui.screens.save_preset import SavePresetDialog
from tui.widgets.field_row import FieldRow
from tui.widgets.form import ConfigForm
from tui.widgets.plan_panel import PlanPanel, plan_content
from tui.widgets.preset_list import PresetList

Opened = list[RunFolder]


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TinyTrainApp:
    """The dashboard, with opening a run noted instead of done: Monitor has tests of its own."""
    opened: Opened = []

    async def open_run(_self: TinyTrainApp, folder: RunFolder) -> None:
        opened.append(folder)

    monkeypatch.setattr(TinyTrainApp, "open_run", open_run)
    app = TinyTrainApp(tmp_path / "runs")
    app.opened = opened  # type: ignore[attr-defined]
    return app


async def launch_screen(pilot: Pilot[Any]) -> LaunchScreen:
    await until(pilot, lambda: isinstance(pilot.app.screen, LaunchScreen) and pilot.app.screen.plan)
    screen = pilot.app.screen
    assert isinstance(screen, LaunchScreen)
    await until(pilot, lambda: any(row.spec.path == "train.precision" for row in screen.query(FieldRow)))
    await pilot.pause()
    return screen


def text_of(screen: Screen[Any], selector: str) -> str:
    return str(screen.query_one(selector, Static).render())


def plan_text(screen: LaunchScreen) -> str:
    return str(screen.query_one(PlanPanel).query_one(Static).render())


def set_field(screen: LaunchScreen, path: str, text: str) -> None:
    row = next(row for row in screen.query(FieldRow) if row.spec.path == path)
    row.query_one(Input).value = text


def row_titles(screen: LaunchScreen) -> list[str]:
    options = screen.query_one(PresetList).options
    return [str(options.get_option_at_index(index).prompt) for index in range(options.option_count)]


async def test_it_opens_with_the_first_preset_its_plan_and_the_cursor_in_the_list(app: TinyTrainApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await launch_screen(pilot)
        assert app.focused is screen.query_one(PresetList).options
        assert str(screen.query_one(ConfigForm).border_title) == "quickstart"
        plan = plan_text(screen)
        assert "781,216" in plan and "1,200" in plan
        assert "-m engine" in plan.replace("\n", " ")
        assert "✓ ready to launch" in text_of(screen, "#verdict")


async def test_the_list_shows_what_each_preset_needs_and_is_for(app: TinyTrainApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await launch_screen(pilot)
        quickstart, v1, *_ = row_titles(screen)
        assert "⇣" not in quickstart and "⇣" in v1
        await pilot.press("down")
        await until(pilot, lambda: "84 MB to download" in text_of(screen, "#summary"))


async def test_going_through_the_list_keeps_what_was_typed(app: TinyTrainApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await launch_screen(pilot)
        set_field(screen, "optim.lr", "0.5")
        await pilot.press("down")
        await until(pilot, lambda: screen.form.model.preset.name == "v1-imdb-small")
        assert screen.form.model.changed() == ()
        await pilot.press("up")
        await until(pilot, lambda: screen.form.model.preset.name == "quickstart")
        assert screen.form.model.to_config().optim.lr == 0.5


async def test_the_plan_follows_what_is_typed_and_lists_the_changes(app: TinyTrainApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await launch_screen(pilot)
        set_field(screen, "train.max_steps", "300")
        await until(pilot, lambda: "train.max_steps: 1200 → 300" in plan_text(screen))
        assert screen.plan is not None and screen.plan.estimate.steps.value == 300


async def test_launch_is_off_while_something_is_wrong_and_goes_to_it(app: TinyTrainApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await launch_screen(pilot)
        set_field(screen, "model.num_heads", "3")
        await until(pilot, lambda: screen.query_one("#launch", Button).disabled)
        assert "model.num_heads: 3 does not divide" in text_of(screen, "#verdict").replace("\n", " ")
        await pilot.press("ctrl+l")
        await until(pilot, lambda: isinstance(app.focused, Input))
        assert app.focused is not None
        assert isinstance(app.focused.parent, FieldRow) and app.focused.parent.spec.path == "model.num_heads"
        assert all_runs(app.runs) == ()
        set_field(screen, "model.num_heads", "4")
        await until(pilot, lambda: not screen.query_one("#launch", Button).disabled)


async def test_a_launch_makes_the_run_that_was_typed_and_opens_it(
    app: TinyTrainApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[RunFolder] = []
    monkeypatch.setattr("runs.launch.start", lambda folder, resume="": started.append(folder) or 1)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await launch_screen(pilot)
        set_field(screen, "train.max_steps", "7")
        set_field(screen, "about.name", "my [/] \x1b[2J run")
        await pilot.press("ctrl+l")
        await until(pilot, lambda: app.opened)  # type: ignore[attr-defined]
        (folder,) = started
        assert app.opened == [folder]  # type: ignore[attr-defined]
        assert folder.config() == with_values(catalog.find_preset("quickstart").config, {"train.max_steps": 7})
        assert folder.about().name == "my [/] ␛[2J run"
        assert folder.about().preset == "quickstart"
        assert screen.form.model.name == ""


async def test_a_launch_that_fails_says_so_and_loses_nothing(
    app: TinyTrainApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_folder: RunFolder, _resume: str = "") -> int:
        raise RuntimeError("the supervisor ended with [/] 3")

    monkeypatch.setattr("runs.launch.start", refuse)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await launch_screen(pilot)
        set_field(screen, "optim.lr", "0.25")
        await pilot.press("ctrl+l")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        assert "the supervisor ended with [/] 3" in str(app.screen.query_one(".body", Static).render())
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        assert screen.form.model.to_config().optim.lr == 0.25
        assert app.opened == []  # type: ignore[attr-defined]


async def test_a_runs_folder_that_cannot_be_made_is_said(tmp_path: Path, app: TinyTrainApp) -> None:
    app.runs = tmp_path / "file"
    app.runs.write_text("not a folder")
    async with app.run_test(size=(120, 40)) as pilot:
        await launch_screen(pilot)
        await pilot.press("ctrl+l")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        assert "cannot be made" in str(app.screen.query_one(".body", Static).render())


@pytest.mark.parametrize(
    ("answer", "source"), [("embedded", "embedded"), ("anyway", "hub"), ("cancel", None), ("escape", None)]
)
async def test_without_the_hub_a_launch_offers_the_embedded_corpus_and_never_takes_it_silently(
    app: TinyTrainApp, monkeypatch: pytest.MonkeyPatch, answer: str, source: str | None
) -> None:
    started: list[RunFolder] = []
    monkeypatch.setattr("runs.launch.start", lambda folder, resume="": started.append(folder) or 1)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await launch_screen(pilot)
        await pilot.press("down")
        await until(pilot, lambda: screen.form.model.preset.name == "v1-imdb-small")
        await pilot.press("ctrl+l")
        await until(pilot, lambda: isinstance(app.screen, ChoiceDialog))
        assert "State of the Union" in str(app.screen.query_one(".body", Static).render())
        assert all_runs(app.runs) == ()
        if answer == "escape":
            await pilot.press("escape")
        else:
            app.screen.query_one(f"#{answer}", Button).press()
        if source is None:
            await until(pilot, lambda: app.screen is screen)
            await pilot.pause()
            assert all_runs(app.runs) == ()
        else:
            await until(pilot, lambda: app.opened)  # type: ignore[attr-defined]
            assert started[0].config().data.source == source
            assert screen.form.model.to_config().data.source == "hub"  # the form is as it was


async def test_the_plan_says_before_launch_that_the_hub_is_away(app: TinyTrainApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await launch_screen(pilot)
        await pilot.press("down")
        await until(pilot, lambda: "nothing is cached" in " ".join(plan_text(screen).split()))
        assert "the data cannot be had now" in text_of(screen, "#verdict")


async def test_an_answer_about_other_data_changes_nothing(app: TinyTrainApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await launch_screen(pilot)
        late = HubStatus(True, False, False, "http://x", "late answer")
        other = catalog.find_preset("v2-hf-medium").config
        screen.post_message(DataLookedUp(data_key(other), late, None))
        await pilot.pause(0.3)
        assert "late answer" not in plan_text(screen)


async def test_a_saved_preset_is_in_the_list_and_chosen(app: TinyTrainApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await launch_screen(pilot)
        set_field(screen, "optim.lr", "0.125")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, SavePresetDialog))
        await pilot.press(*"wide", "enter")
        await until(pilot, lambda: app.screen is screen and screen.form.model.preset.name == "wide")
        assert catalog.find_preset("wide").config.optim.lr == 0.125
        below_shipped = row_titles(screen)[len(catalog.shipped_presets()) :]
        assert below_shipped[0].strip() == "yours"
        assert below_shipped[1].startswith("wide")


async def test_saving_over_a_preset_asks_first_and_a_shipped_name_is_refused(app: TinyTrainApp) -> None:
    catalog.save_preset("wide", RunConfig())
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await launch_screen(pilot)
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, SavePresetDialog))
        dialog = app.screen
        dialog.query_one("#name", Input).value = "quickstart"
        await pilot.press("enter")
        await until(pilot, lambda: "is a shipped preset" in text_of(dialog, ".error"))
        dialog.query_one("#name", Input).value = "wide"
        await pilot.press("enter")
        await until(pilot, lambda: "already a preset wide" in text_of(dialog, ".error"))
        assert catalog.find_preset("wide").config == RunConfig()
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is screen)
        assert catalog.find_preset("wide").config == catalog.find_preset("quickstart").config


async def test_files_of_ones_own_that_are_broken_or_named_like_shipped_ones_are_shown_not_a_crash(
    app: TinyTrainApp,
) -> None:
    folder = catalog.user_presets_dir()
    folder.mkdir(parents=True)
    (folder / "broken.toml").write_text("[optim]\nlr = 3\n")
    (folder / "quickstart.toml").write_text('[preset]\ntitle = "[/] \\u001b[2J evil"\n')
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await launch_screen(pilot)
        _, *own = row_titles(screen)[len(catalog.shipped_presets()) :]
        assert own[0].startswith("[/] ␛[2J evil")
        assert own[1].startswith("✗ broken.toml")
        await pilot.press("end")
        await until(pilot, lambda: "above the limit" in text_of(screen, "#summary").replace("\n", " "))
        assert screen.form.model.preset.name == "quickstart"


async def test_on_a_low_terminal_enter_says_what_is_wrong_with_a_file(app: TinyTrainApp) -> None:
    folder = catalog.user_presets_dir()
    folder.mkdir(parents=True)
    (folder / "broken.toml").write_text("[optim]\nlr = 3\n")
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await launch_screen(pilot)
        await until(pilot, lambda: "broken.toml" in row_titles(screen)[-1])
        await pilot.press("end", "enter")
        await until(pilot, lambda: any("above the limit" in one.message for one in app._notifications))
        await pilot.press("e")
        await until(pilot, lambda: len(app._notifications) == 2)
        assert all("cannot be read" in one.message for one in app._notifications)


async def test_gpus_that_are_found_change_the_plan(app: TinyTrainApp) -> None:
    from tui.messages import GpusCounted

    async with app.run_test(size=(120, 40)) as pilot:
        screen = await launch_screen(pilot)
        await until(pilot, lambda: screen._machine.num_gpus is not None)  # the real answer has come
        screen.post_message(GpusCounted(2, ""))
        await until(pilot, lambda: "1 GPU" in plan_text(screen))
        assert "nothing was measured on a GPU" in " ".join(plan_text(screen).split())


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 60)])
async def test_at_every_size_the_button_the_verdict_and_the_fields_can_be_reached(
    app: TinyTrainApp, size: tuple[int, int]
) -> None:
    async with app.run_test(size=size) as pilot:
        screen = await launch_screen(pilot)
        assert screen.plan is not None
        launch = screen.query_one("#launch", Button)
        for widget in (launch, screen.query_one("#verdict")):
            assert widget.region.height == 1 and widget.region.bottom <= size[1], widget
        row = next(row for row in screen.query(FieldRow) if row.spec.path == "optim.lr")
        row.control.focus()
        await pilot.pause()
        assert row.control.region in screen.form.region
        for width in (22, 30, 60):
            for line in plan_content(screen.plan, width).split("\n")[:8]:
                assert line.cell_length <= width


async def test_keys_go_round_from_list_to_form_and_back(app: TinyTrainApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await launch_screen(pilot)
        await pilot.press("slash")
        assert app.focused is screen.query_one("#search", Input)
        await pilot.press(*"heads", "enter")
        await until(pilot, lambda: isinstance(getattr(app.focused, "parent", None), FieldRow))
        await pilot.press("escape")  # ends the search
        await pilot.press("escape")
        assert app.focused is screen.query_one(PresetList).options


def test_the_runs_configuration_is_what_the_plan_showed(app: TinyTrainApp) -> None:
    """A plan holds a whole configuration that a run folder can be made from."""
    from presets.config import from_toml, to_toml
    from tui.plan import make_plan, this_machine
    from tui.widgets.form_model import FormModel

    model = FormModel(catalog.find_preset("quickstart"))
    model.set_text("optim.lr", "0.125")
    plan = make_plan(model, this_machine(), None)
    assert from_toml(to_toml(plan.config)) == plan.config


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
def test_launch_looks_as_it_did(
    app: TinyTrainApp, snap_compare: Any, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    """A changed and a wrong field, on a machine that is always the same."""
    from presets.estimate import Machine
    from runs.launch import LaunchPlan
    from tui import plan as plan_module
    from tui.screens import plan_screen
    from tui.screens.launch_questions import Questions

    machine = Machine(num_cores=2, memory_bytes=16_000_000_000, num_gpus=0, free_memory_bytes=12_000_000_000)
    monkeypatch.setattr(plan_screen, "this_machine", lambda: machine)
    monkeypatch.setattr(Questions, "count_gpus", lambda _self: None)
    command = LaunchPlan(("python", "-m", "engine", "<run>", "--attempt", "1"), ())
    monkeypatch.setattr(plan_module, "plan_launch", lambda _config: command)

    async def before(pilot: Pilot[Any]) -> None:
        screen = await launch_screen(pilot)
        set_field(screen, "optim.lr", "0.004")
        set_field(screen, "model.num_heads", "3")
        await until(pilot, lambda: screen.plan is not None and screen.plan.problems)
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=before)
