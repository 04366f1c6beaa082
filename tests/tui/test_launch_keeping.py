"""Launch: presets of one's own, configurations launched before, the command, memory, and what is remembered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static

from presets import catalog, keeping
from presets.catalog import Preset
from presets.config import with_values
from presets.estimate import DeviceMemory, Machine
from presets.schema import RunConfig
from runs.folder import all_runs, create_run
from tests.run_writer import AttemptWriter
from tests.tui.pilots import shown_text, until
from tui.app import TinyTrainApp
from tui.messages import GpusCounted
from tui.plan import make_plan
from tui.screens.changes_dialog import ChangesDialog
from tui.screens.entry_dialog import EntryDialog
from tui.screens.launch import LaunchScreen
from tui.screens.recent_configs import RecentDialog
from tui.widgets.form_model import FormModel
from tui.widgets.plan_panel import PlanPanel, plan_content


@pytest.fixture
def app(tmp_path: Path) -> TinyTrainApp:
    return TinyTrainApp(tmp_path / "runs")


async def launch_screen(pilot: Pilot[Any]) -> LaunchScreen:
    await until(pilot, lambda: isinstance(pilot.app.screen, LaunchScreen) and pilot.app.screen.plan)
    screen = pilot.app.screen
    assert isinstance(screen, LaunchScreen)
    await until(pilot, lambda: screen.presets.here is not None)
    return screen


async def dialog(pilot: Pilot[Any], kind: type[Any]) -> Any:
    await until(
        pilot, lambda: isinstance(pilot.app.screen, kind) and pilot.app.screen.query("Input, OptionList, Button")
    )
    return pilot.app.screen


def here(screen: LaunchScreen) -> str:
    preset = screen.presets.here
    return "" if preset is None else preset.name


def names() -> set[str]:
    return {preset.name for preset in catalog.own_presets()[0]}


async def test_a_preset_is_duplicated_renamed_deleted_and_brought_back_and_a_shipped_one_stays(
    app: TinyTrainApp,
) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        screen = await launch_screen(pilot)
        await pilot.press("D")
        asked = await dialog(pilot, EntryDialog)
        assert asked.query_one("#name", Input).value == "quickstart-copy"
        await pilot.press(*"mine", "enter")
        await until(pilot, lambda: app.screen is screen and here(screen) == "mine")
        assert screen.form.model.preset.config == catalog.find_preset("quickstart").config

        await pilot.press("e")
        asked = await dialog(pilot, EntryDialog)
        asked.query_one("#name", Input).value = "Not a name"
        await pilot.press("enter")
        await until(pilot, lambda: "small letters" in str(asked.query_one(".error", Static).render()))
        asked.query_one("#name", Input).value = "yours"
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is screen and here(screen) == "yours")
        assert names() == {"yours"}

        await pilot.press("d")
        await until(pilot, lambda: not names() and here(screen) not in ("yours", ""))
        await pilot.press("ctrl+z")
        await until(pilot, lambda: here(screen) == "yours")
        assert names() == {"yours"}

        catalog.save_preset("wide", RunConfig())
        await pilot.press("home")
        await until(pilot, lambda: here(screen) == "quickstart")
        await pilot.press("d")  # a shipped one
        await until(pilot, lambda: any("cannot be deleted" in said.message for said in app._notifications))
        await pilot.press("D")
        asked = await dialog(pilot, EntryDialog)
        await pilot.press(*"wide", "enter")
        await until(pilot, lambda: "already a preset wide" in str(asked.query_one(".error", Static).render()))
        assert catalog.find_preset("wide").config == RunConfig()
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is screen)
        assert catalog.find_preset("wide").config == catalog.find_preset("quickstart").config


async def test_an_export_is_imported_after_a_look_at_what_it_sets(app: TinyTrainApp, tmp_path: Path) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        screen = await launch_screen(pilot)
        await pilot.press("E")
        asked = await dialog(pilot, EntryDialog)
        asked.query_one("#file", Input).value = str(tmp_path / "handed.toml")
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is screen and (tmp_path / "handed.toml").exists())

        await pilot.press("I")
        asked = await dialog(pilot, EntryDialog)
        asked.query_one("#file", Input).value = str(tmp_path / "missing.toml")
        await pilot.press("enter")
        await until(pilot, lambda: "No such file" in str(asked.query_one(".error", Static).render()))
        asked.query_one("#file", Input).value = str(tmp_path / "handed.toml")
        await pilot.press("enter")
        diff = await dialog(pilot, ChangesDialog)
        changes = diff.query_one("#changes Static", Static)
        assert "train.max_steps: 0 → 1200" in str(changes.render())
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        assert names() == set()  # a no takes nothing
        await pilot.press("I")
        asked = await dialog(pilot, EntryDialog)
        asked.query_one("#file", Input).value = str(tmp_path / "handed.toml")
        await pilot.press("enter")
        await dialog(pilot, ChangesDialog)
        await pilot.press("y")
        await until(pilot, lambda: here(screen) == "handed")
        assert catalog.find_preset("handed").config == catalog.find_preset("quickstart").config

        # one of that name is there, and what is shown is the difference from it
        catalog.save_preset("wide", with_values(RunConfig(), {"optim.lr": 0.125}))
        changed = Preset("wide", "wide", "", with_values(RunConfig(), {"optim.lr": 0.25}))
        keeping.export(changed, tmp_path / "wide.toml")
        await pilot.press("I")
        asked = await dialog(pilot, EntryDialog)
        asked.query_one("#file", Input).value = str(tmp_path / "wide.toml")
        await pilot.press("enter")
        await dialog(pilot, ChangesDialog)
        assert "optim.lr: 0.125 → 0.25" in shown_text(app) and "Replace it" in shown_text(app)
        await pilot.press("y")
        await until(pilot, lambda: app.screen is screen)
        await until(pilot, lambda: catalog.find_preset("wide").config.optim.lr == 0.25)


async def test_a_configuration_launched_before_is_a_copy_to_change(app: TinyTrainApp) -> None:
    config = with_values(catalog.find_preset("quickstart").config, {"optim.lr": 0.125})
    for _ in range(2):
        folder = create_run(app.runs, config, name="warm [/] \x1b[2J otter", preset="quickstart")
    attempt = AttemptWriter(folder)
    attempt.start()
    attempt.train(5, 1.0)
    attempt.evaluate(5.5)
    attempt.end("finished")
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("1")
        screen = await launch_screen(pilot)
        await pilot.press("H")
        asked = await dialog(pilot, RecentDialog)
        options = asked.query_one("#recent", OptionList)
        await until(pilot, lambda: options.option_count == 1)
        assert "lr 0.125" in str(options.get_option_at_index(0).prompt)
        await until(pilot, lambda: "2 runs of this configuration" in shown_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is screen and here(screen).startswith("copy of warm"))
        await until(pilot, lambda: screen.form.model.to_config() == config)
        assert "copies, not saved" in shown_text(app)
        await pilot.press("d")  # leaves the list, and is nowhere else
        await until(pilot, lambda: not here(screen).startswith("copy of"))
        assert names() == set() and keeping.deleted_presets() == ()


async def test_a_copy_from_another_screen_is_there_once_and_a_strangers_is_looked_at(app: TinyTrainApp) -> None:
    config = with_values(catalog.find_preset("quickstart").config, {"train.max_steps": 77})
    copy = Preset("copy of warm-otter", "copy of warm-otter", "", config, shipped=False)
    async with app.run_test(size=(100, 30)) as pilot:
        await launch_screen(pilot)
        await pilot.press("6")
        await until(pilot, lambda: not isinstance(app.screen, LaunchScreen))
        for _ in range(2):
            await app.open_launch(copy)
        screen = await launch_screen(pilot)
        await until(pilot, lambda: screen.form.model.preset.name == "copy of warm-otter")
        assert screen.form.model.to_config() == config and screen.form.model.changed() == ()
        assert shown_text(app).count("copy of warm") >= 1
        prompts = [str(option.prompt) for option in screen.presets.options._options]
        assert sum("copy of warm" in prompt for prompt in prompts) == 1

        # cloning a run from elsewhere gets its settings not past the question that the run itself would meet
        theirs = with_values(catalog.find_preset("quickstart").config, {"data.tokenizer_from": "/etc/hostname"})
        await app.open_launch(Preset("copy of theirs", "copy of theirs", "", theirs, shipped=False))
        await until(pilot, lambda: screen.form.model.preset.name == "copy of theirs")
        await until(pilot, lambda: screen.plan is not None and screen.plan.config == theirs)
        await pilot.press("ctrl+l")
        await dialog(pilot, ChangesDialog)
        assert "data.tokenizer_from" in shown_text(app)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        assert all_runs(app.runs) == ()


async def test_y_copies_the_command_of_the_form_and_memory_is_compared_with_the_gpus(app: TinyTrainApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await launch_screen(pilot)
        screen.form.model.set_text("optim.lr", "0.25")
        screen.form.load(screen.form.model)
        await until(pilot, lambda: screen.plan is not None and screen.plan.config.optim.lr == 0.25)
        await pilot.press("y")
        await until(pilot, lambda: app.clipboard)
        assert app.clipboard.startswith("tinytrain-tui ")
        assert app.clipboard.endswith("train quickstart --set optim.lr=0.25")
        plan = str(screen.query_one(PlanPanel).query_one(Static).render())
        assert "--set optim.lr=0.25" in " ".join(plan.split())

        full = DeviceMemory(80_000_000_000, 300_000_000)  # what counts on GPUs is what is free there
        await until(pilot, lambda: screen._machine.num_gpus is not None)  # the real answer has come
        screen.post_message(GpusCounted(1, "", (full,)))
        await until(pilot, lambda: screen.plan is not None and screen.plan.fit.level == "red")
        assert "300 MB of 80 GB free" in " ".join(shown_text(app).split())
        screen.post_message(GpusCounted(1, "", (msgspec.structs.replace(full, free_bytes=79_000_000_000),)))
        await until(pilot, lambda: screen.plan is not None and screen.plan.fit.level == "green")


@pytest.mark.parametrize(
    ("free", "word", "style"),
    [
        (16e9, "✓ fits", "$text-success"),
        (0.45e9, "! tight", "$text-warning"),
        (0.2e9, "✗ too large", "$text-error"),
    ],
)
def test_memory_is_green_amber_or_red_with_a_word_and_a_sign(free: float, word: str, style: str) -> None:
    machine = Machine(2, 16_000_000_000, 0, free_memory_bytes=round(free))
    plan = make_plan(FormModel(catalog.find_preset("quickstart")), machine, None)
    for width in (24, 33, 56):
        line = next(line for line in plan_content(plan, width).split("\n") if line.plain.startswith("mem"))
        shown = plan_content(plan, width).plain
        assert line.cell_length <= width and style in line.markup
        assert all(part in shown for part in word.split(" ", 1)) and (word in line.plain or width < 30)
    assert bool(plan.warnings) is (word != "✓ fits")


async def test_the_next_start_has_the_preset_and_what_was_typed(app: TinyTrainApp) -> None:
    catalog.save_preset("wide", with_values(RunConfig(), {"optim.lr": 0.125}))
    async with app.run_test(size=(100, 30)) as pilot:
        screen = await launch_screen(pilot)
        await pilot.press("end")
        await until(pilot, lambda: screen.form.model.preset.name == "wide")
        screen.form.model.set_text("train.max_steps", "seven")
        screen.form.load(screen.form.model)
        await until(pilot, lambda: screen.plan is not None and screen.plan.problems)
    again = TinyTrainApp(app.runs)
    async with again.run_test(size=(100, 30)) as pilot:
        screen = await launch_screen(pilot)
        await until(pilot, lambda: screen.form.model.preset.name == "wide")
        assert screen.form.model.text("train.max_steps") == "seven"
        await until(pilot, lambda: screen.plan is not None and screen.plan.problems)


async def test_what_somebody_else_wrote_into_the_state_is_passed_over(app: TinyTrainApp) -> None:
    app.remembered.put(
        "launch",
        {
            "preset": 7,
            "advanced": "yes",
            "drafts": {"shipped:quickstart": {"nothing.here": "1", "optim.lr": 3}, "x": 1},
        },
    )
    async with app.run_test(size=(100, 30)) as pilot:
        screen = await launch_screen(pilot)
        assert here(screen) == "quickstart" and screen.form.model.changed() == ()
