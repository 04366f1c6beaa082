"""The form: what is typed, what is wrong and when it is said, what a reset brings back, what a search shows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual import events
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Input, Static, TextArea

import tui.widgets.form
from presets.catalog import find_preset
from presets.config import with_values
from presets.rules import Problem
from presets.schema import FIELDS, RunConfig
from tests.tui.pilots import shown_text, until
from tui.messages import DraftChanged
from tui.widgets.choice_control import ChoiceControl
from tui.widgets.field_group import GroupTitle
from tui.widgets.field_row import FieldRow
from tui.widgets.form import ConfigForm
from tui.widgets.form_model import NAME, FormModel


class FormApp(App[None]):
    """A form alone, checked as the Launch screen checks it."""

    def __init__(self, model: FormModel) -> None:
        super().__init__()
        self.model = model
        self.num_changes = 0

    def compose(self) -> ComposeResult:
        yield ConfigForm(self.model)

    def on_draft_changed(self, _event: DraftChanged) -> None:
        self.num_changes += 1
        form = self.query_one(ConfigForm)
        form.show_problems(form.model.problems())


@asynccontextmanager
async def opened(app: FormApp, size: tuple[int, int]) -> AsyncIterator[Pilot[Any]]:
    """The app with the rows of its open groups, which come after the first paint."""
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "train.precision" in shown(app))
        await pilot.pause()
        yield pilot


@pytest.fixture
def model() -> FormModel:
    return FormModel(find_preset("quickstart"))


def row_of(app: App[Any], path: str) -> FieldRow:
    return next(row for row in app.query(FieldRow) if row.spec.path == path)


def shown(app: App[Any]) -> set[str]:
    return {row.spec.path for row in app.query(FieldRow) if row.display}


async def retype(pilot: Pilot[Any], path: str, text: str) -> FieldRow:
    """Go to a field and put another text into it."""
    row = row_of(pilot.app, path)
    row.control.focus()
    await pilot.pause()
    entry = row.query_one(Input)
    entry.value = ""
    await pilot.press(*text)
    await pilot.pause()
    return row


def test_a_draft_gives_back_the_configuration_it_was_loaded_with() -> None:
    preset = find_preset("quickstart")
    config = with_values(preset.config, {"optim.lr": 0.5, "data.lowercase": False, "probes.texts": ["x [MASK]"]})
    model = FormModel.load(preset, config)
    assert model.to_config() == config
    assert model.changed() == ("data.lowercase", "optim.lr", "probes.texts")


def test_every_field_of_every_kind_survives_the_draft() -> None:
    preset = find_preset("v1-imdb-small")
    model = FormModel.load(preset, RunConfig())
    assert model.to_config() == RunConfig()


def test_an_unreadable_text_is_a_problem_and_not_another_value(model: FormModel) -> None:
    model.set_text("train.batch_size", "1.5")
    assert model.to_config().train.batch_size == 32
    assert model.text("train.batch_size") == "1.5"
    assert [problem.paths for problem in model.problems()] == [("train.batch_size",)]


def test_another_way_to_write_the_same_value_is_no_change(model: FormModel) -> None:
    model.set_text("train.max_steps", "1,200")
    assert model.text("train.max_steps") == "1,200"
    assert not model.is_changed("train.max_steps")
    assert model.to_config() == model.preset.config


async def test_typing_changes_the_configuration_and_marks_the_field(model: FormModel) -> None:
    app = FormApp(model)
    async with opened(app, size=(100, 40)) as pilot:
        row = await retype(pilot, "optim.lr", "5e-3")
        assert model.to_config().optim.lr == 5e-3
        assert "• learning rate" in row.render().plain
        assert "was 0.003" in row.render().plain
        assert "1 changed" in str(app.query_one("#counts", Static).render())
        assert app.num_changes >= 4


async def test_typing_one_point_five_into_a_whole_number_is_never_fifteen(model: FormModel) -> None:
    async with opened(FormApp(model), size=(100, 40)) as pilot:
        await retype(pilot, "train.batch_size", "1.5")
        assert model.to_config().train.batch_size == 32
        assert "not a whole number" in model.problems()[0].message


async def test_an_error_appears_on_leaving_the_field_and_stays_until_it_is_mended(model: FormModel) -> None:
    async with opened(FormApp(model), size=(100, 40)) as pilot:
        row = await retype(pilot, "model.num_layers", "0")
        assert row.shown_problem == ""  # not while somebody is still typing
        await pilot.press("tab")
        await pilot.pause()
        assert row.shown_problem == "0 is below the limit 1"
        assert row.size.height == 2
        assert "✗ 0 is below the limit 1" in row.render().plain
        row.control.focus()
        await pilot.press("end", "0")
        await pilot.pause()
        assert row.shown_problem  # 00 is no better
        await retype(pilot, "model.num_layers", "3")
        assert row.shown_problem == ""
        assert row.size.height == 1


async def test_a_rule_across_fields_speaks_under_the_field_it_blames(model: FormModel) -> None:
    async with opened(FormApp(model), size=(100, 40)) as pilot:
        await retype(pilot, "model.hidden_size", "129")
        blamed = row_of(pilot.app, "model.num_heads")
        assert blamed.shown_problem == "2 does not divide hidden size 129; try 1 or 3"
        await retype(pilot, "model.hidden_size", "132")
        assert blamed.shown_problem == ""


async def test_one_field_is_reset_and_the_others_are_not(model: FormModel) -> None:
    app = FormApp(model)
    async with opened(app, size=(100, 40)) as pilot:
        await retype(pilot, "model.num_layers", "7")
        row = await retype(pilot, "optim.lr", "nonsense")
        app.query_one(ConfigForm).reset_focused()
        await pilot.pause()
        assert row.query_one(Input).value == "0.003"
        assert model.changed() == ("model.num_layers",)
        app.query_one(ConfigForm).reset_all()
        await pilot.pause()
        assert model.to_config() == model.preset.config
        assert row_of(app, "model.num_layers").query_one(Input).value == "2"


async def test_a_click_on_the_reset_sign_resets(model: FormModel) -> None:
    async with opened(FormApp(model), size=(100, 40)) as pilot:
        row = await retype(pilot, "model.num_layers", "7")
        await pilot.click(row, offset=(row.size.width - 2, 0))
        await pilot.pause()
        assert model.changed() == ()


async def test_a_choice_turns_with_the_arrows_and_holds_nothing_else(model: FormModel) -> None:
    async with opened(FormApp(model), size=(100, 40)) as pilot:
        control = row_of(pilot.app, "optim.schedule").query_one(ChoiceControl)
        control.focus()
        await pilot.press("right")
        assert model.to_config().optim.schedule == "cosine"
        await pilot.press("left", "left")
        assert model.to_config().optim.schedule == "inverse_sqrt"


async def test_another_draft_may_come_before_a_row_is_on_the_screen(model: FormModel) -> None:
    other = FormModel(find_preset("v1-imdb-small"))
    async with opened(FormApp(model), size=(100, 40)) as pilot:
        rows = [FieldRow(spec, model) for spec in FIELDS]
        for row in rows:
            row.load(other)
            row.set_problem("wrong")
        await pilot.app.query_one(ConfigForm).mount_all(rows)
        entry = next(row for row in rows if row.spec.path == "model.hidden_size").query_one(Input)
        assert entry.value == other.text("model.hidden_size") != model.text("model.hidden_size")


async def test_a_folded_group_mounts_its_rows_when_it_is_opened(model: FormModel) -> None:
    app = FormApp(model)
    async with opened(app, size=(100, 60)) as pilot:
        assert "data.tokenizer" not in {row.spec.path for row in app.query(FieldRow)}
        await app.query_one(ConfigForm).go_to("data.tokenizer")
        await pilot.pause()
        assert app.focused is row_of(app, "data.tokenizer").control
        assert "data.tokenizer" in shown(app)


async def test_search_finds_fields_by_label_path_and_help_in_folded_groups(model: FormModel) -> None:
    app = FormApp(model)
    async with opened(app, size=(100, 60)) as pilot:
        form = app.query_one(ConfigForm)
        before = shown(app)
        form.focus_search()
        await pilot.press(*"warm")
        await pilot.pause()
        assert shown(app) == {"optim.schedule", "optim.warmup_ratio"}
        form.clear_search()
        await pilot.pause()
        assert shown(app) == before
        form.focus_search()
        await pilot.press(*"stop grace")  # advanced, and in a folded group
        await pilot.pause()
        assert shown(app) == {"launch.stop_grace"}
        await pilot.press("enter")
        assert app.focused is row_of(app, "launch.stop_grace").control


async def test_enter_goes_to_the_field_whose_name_was_typed_however_fast(model: FormModel) -> None:
    app = FormApp(model)
    async with opened(app, size=(100, 60)) as pilot:
        form = app.query_one(ConfigForm)
        form.focus_search()
        await pilot.pause()
        entry = app.query_one("#search", Input)
        entry.value = "steps"
        entry.post_message(Input.Submitted(entry, "steps"))  # before the form has seen the change
        await until(pilot, lambda: app.focused is row_of(app, "train.max_steps").control)


async def test_a_search_without_a_match_says_what_to_do(model: FormModel) -> None:
    app = FormApp(model)
    async with opened(app, size=(100, 40)) as pilot:
        app.query_one(ConfigForm).focus_search()
        await pilot.press(*"xyzzy")
        await pilot.pause()
        assert shown(app) == set()
        assert app.query_one("#nothing").display


async def test_advanced_fields_are_hidden_until_asked_for_but_never_when_wrong(model: FormModel) -> None:
    app = FormApp(model)
    async with opened(app, size=(100, 60)) as pilot:
        form = app.query_one(ConfigForm)
        assert "optim.beta1" not in shown(app)
        form.show_problems((Problem(("optim.beta1",), "something is wrong"),))
        assert "optim.beta1" in shown(app)
        form.show_problems(())
        assert "optim.beta1" not in shown(app)
        form.toggle_advanced()
        await pilot.pause()
        assert "optim.beta1" in shown(app)


async def test_sentences_are_edited_as_lines(model: FormModel) -> None:
    app = FormApp(model)
    async with opened(app, size=(100, 60)) as pilot:
        await app.query_one(ConfigForm).go_to("probes.texts")
        await pilot.pause()
        area = row_of(app, "probes.texts").query_one(TextArea)
        area.load_text("one [MASK]\n\ntwo [MASK]")
        await pilot.pause()
        assert model.to_config().probes.texts == ("one [MASK]", "two [MASK]")
        area.load_text("nothing hidden")
        await pilot.pause()
        assert "sentence 1 has no [MASK]" in model.problems()[0].message


async def test_loading_another_draft_posts_one_change_and_keeps_what_was_typed(model: FormModel) -> None:
    app = FormApp(model)
    async with opened(app, size=(100, 40)) as pilot:
        await retype(pilot, "optim.lr", "0.5")
        form = app.query_one(ConfigForm)
        other = FormModel(find_preset("v1-imdb-small"))
        app.num_changes = 0
        form.load(other)
        await pilot.pause()
        assert app.num_changes == 1
        assert other.changed() == ()
        assert row_of(app, "model.hidden_size").query_one(Input).value == "4"
        assert "published 5e-5" in row_of(app, "optim.lr").render().plain
        form.load(model)
        await pilot.pause()
        assert row_of(app, "optim.lr").query_one(Input).value == "0.5"


async def test_what_was_typed_into_one_draft_never_gets_into_another_that_comes_at_once(model: FormModel) -> None:
    app = FormApp(model)
    async with opened(app, (100, 40)) as pilot:
        other = FormModel(find_preset("v1-imdb-small"))
        before = other.text("train.max_steps")
        entry = row_of(app, "train.max_steps").control
        assert isinstance(entry, Input) and model.text("train.max_steps") != before
        entry.value = "777"  # its Changed is still on the way when the other draft comes
        app.query_one(ConfigForm).load(other)
        await pilot.pause()
        await until(pilot, lambda: entry.value == before)
        assert not other.changed() and other.text("train.max_steps") == before


async def test_a_group_opens_whoever_runs_its_action(model: FormModel) -> None:
    app = FormApp(model)
    async with opened(app, (100, 40)) as pilot:
        title = next(title for title in app.query(GroupTitle) if title.label == "Data")
        assert not any(path.startswith("data.") for path in shown(app))
        await app.run_action("fold(False)", default_namespace=title)
        await until(pilot, lambda: any(path.startswith("data.") for path in shown(app)))


async def test_help_speaks_of_the_field_one_is_in(model: FormModel) -> None:
    app = FormApp(model)
    async with opened(app, size=(100, 40)) as pilot:
        row_of(app, "optim.lr").control.focus()
        await pilot.pause()
        text = str(app.query_one("#help", Static).render())
        assert "optim.lr" in text and "usually 1e-5 to 1e-2" in text


@pytest.mark.parametrize("width", [46, 60, 100, 160])
async def test_no_row_is_wider_than_its_pane(model: FormModel, width: int) -> None:
    app = FormApp(FormModel.load(find_preset("v1-imdb-small"), RunConfig()))
    async with opened(app, size=(width, 60)) as pilot:
        app.query_one(ConfigForm).toggle_advanced()
        for spec in FIELDS:
            await app.query_one(ConfigForm).go_to(spec.path)
        await pilot.pause()
        for row in app.query(FieldRow):
            if row.display:
                for line in row.render().split("\n"):
                    assert line.cell_length <= row.size.width, (row.spec.path, line.plain)


async def test_no_cursor_of_the_form_blinks(model: FormModel) -> None:
    app = FormApp(model)
    async with opened(app, size=(100, 60)) as pilot:
        await app.query_one(ConfigForm).go_to("probes.texts")
        await pilot.pause()
        assert all(not entry.cursor_blink for entry in app.query(Input))
        assert all(not area.cursor_blink for area in app.query(TextArea))


@pytest.mark.parametrize("route", ["loaded", "pasted"])
@pytest.mark.parametrize("path", ["data.dataset", "probes.texts"])
async def test_control_characters_in_a_field_never_reach_the_terminal(
    model: FormModel, path: str, route: str
) -> None:
    app = FormApp(model)
    async with opened(app, size=(100, 60)) as pilot:
        await app.query_one(ConfigForm).go_to(path)
        await pilot.pause()
        control = row_of(app, path).control
        hostile = "a [MASK] \x1b]52;c;eA==\x07\x9b2J"
        if route == "pasted":
            control.post_message(events.Paste(hostile))
        elif isinstance(control, TextArea):
            control.load_text(hostile)
        else:
            assert isinstance(control, Input)
            control.value = hostile
        await pilot.pause()
        screen = shown_text(app)
        assert "␛]52" in screen
        assert not {"\x1b", "\x07", "\x9b"} & set(screen)


async def test_an_app_that_ends_before_the_rows_came_mounts_none(
    model: FormModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tui.widgets.form, "_ROWS_DELAY_S", 600.0)
    app = FormApp(model)
    async with app.run_test(size=(80, 24)):
        form = app.query_one(ConfigForm)
        stack, screens = app._screen_stack, list(app._screen_stack)
        stack.clear()  # as Textual does while the app's last messages are still handled
        await form.mount_rows()
        stack.extend(screens)
        assert [row.spec.path for row in form.query(FieldRow)] == [NAME.path]
