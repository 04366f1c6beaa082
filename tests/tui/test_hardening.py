"""What the dashboard does with double clicks, with its own defects, and with hostile text in a field."""

from __future__ import annotations

import asyncio
import gc
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from textual import events
from textual.app import App, ComposeResult
from textual.command import CommandPalette
from textual.css.query import NoMatches
from textual.geometry import Offset, Size
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static

from tests.faults.inertness import acts
from tests.tui.pilots import shown_text, until
from tui.app import TinyTrainApp
from tui.screens.dialogs import ConfirmDialog
from tui.screens.help import HelpScreen
from tui.screens.launch import LaunchScreen
from tui.textual_defects import missed_size
from tui.widgets.line_input import LineInput
from tui.widgets.lines_input import LinesInput

HOSTILE = "otter\x1b]52;c;ZXZpbA==\x07\x9b31m\u202e[@click=app.bell]x[/]\x07"


async def test_a_dialog_that_is_closed_twice_takes_no_screen_with_it(tmp_path: Path) -> None:
    app = TinyTrainApp(tmp_path / "runs")
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        answers: list[bool | None] = []
        dialog = ConfirmDialog("Delete?", "It goes into the trash.")
        await app.push_screen(dialog, answers.append)
        dialog.dismiss(True)
        dialog.dismiss(True)
        await pilot.pause(0.1)
        assert isinstance(app.screen, LaunchScreen)
        assert answers == [True]
        await pilot.press("ctrl+p")
        palette = await until(pilot, lambda: app.screen if not isinstance(app.screen, LaunchScreen) else None)
        palette.dismiss()
        palette.dismiss()
        await pilot.pause(0.1)
        assert isinstance(app.screen, LaunchScreen)


async def test_the_palette_is_not_opened_twice_when_a_question_came_over_it(tmp_path: Path) -> None:
    app = TinyTrainApp(tmp_path / "runs")
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        await app.push_screen(ConfirmDialog("Delete?", "It goes into the trash."))
        await pilot.press("ctrl+p")
        await pilot.pause(0.1)
        assert sum(isinstance(screen, CommandPalette) for screen in app.screen_stack) == 1
        assert isinstance(app.screen, ConfirmDialog)


def test_a_size_whose_signal_was_overtaken_is_noticed() -> None:
    driver = SimpleNamespace(_get_terminal_size=lambda: (80, 24))
    app: Any = SimpleNamespace(_driver=driver, is_headless=False, size=Size(300, 2))
    assert missed_size(app) == Size(80, 24)
    app.size = Size(80, 24)
    assert missed_size(app) is None


class Late(ModalScreen[None]):
    """Asks for a part that it has not, after it may have been closed."""

    def __init__(self, closes: bool) -> None:
        super().__init__()
        self._closes = closes

    async def on_mount(self) -> None:
        if self._closes:
            self.dismiss(None)
        await asyncio.sleep(0.05)
        self.query_one("#gone")


async def test_a_message_to_a_dialog_that_was_closed_ends_nothing_but_a_missing_part_elsewhere_does(
    tmp_path: Path,
) -> None:
    app = TinyTrainApp(tmp_path / "runs")
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        app.push_screen(Late(closes=True))
        await asyncio.sleep(0.5)
        assert isinstance(app.screen, LaunchScreen) and app._exception is None
    app = TinyTrainApp(tmp_path / "runs")
    with pytest.raises(NoMatches):
        async with app.run_test(size=(80, 24)) as pilot:
            app.push_screen(Late(closes=False))
            await asyncio.sleep(0.5)


async def test_a_page_in_a_list_without_a_line_ends_nothing(tmp_path: Path) -> None:
    app = TinyTrainApp(tmp_path / "runs")
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        options = app.screen.query_one(OptionList)
        options.styles.display = "none"
        await pilot.pause()
        options._clear_caches()
        assert not options._index_to_line
        options.action_page_down()
        options.action_page_up()


async def test_what_is_closed_leaves_nothing_of_its_picture_behind(tmp_path: Path) -> None:
    app = TinyTrainApp(tmp_path / "runs")
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        pictures = []
        for _ in range(4):
            await pilot.press("question_mark")
            await until(pilot, lambda: isinstance(app.screen, HelpScreen) and "esc closes" in shown_text(app))
            pictures.append([weakref.ref(part._styles_cache) for part in app.screen.walk_children()])
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        await pilot.pause()
        gc.collect()
        # something remembers one of them, and no more: the first, or the last
        assert sum(any(picture() for picture in one) for one in pictures) <= 1


async def test_a_press_on_what_has_just_been_taken_away_ends_nothing(tmp_path: Path) -> None:
    app = TinyTrainApp(tmp_path / "runs")
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        gone = Static("a line to be selected", id="gone")
        await app.screen.mount(gone)
        await until(pilot, lambda: gone.region.area)
        place = gone.region.offset
        with app.batch_update():  # until the next picture the pointer still finds it
            node, gone._parent = gone._parent, None
            assert app.screen._compositor.get_widget_at(*place)[0] is gone
            app.screen._forward_event(_press(place))
            assert not app.screen._selecting
            gone._parent = node
            app.screen._forward_event(_press(place))
            assert app.screen._selecting, "what is there is selected"
            gone._parent = None
            app.screen._forward_event(_press(place + Offset(3, 0), events.MouseMove))
            app.screen._update_select()
            gone._parent = node
        await gone.remove()
        app.screen._update_select()


def _press(place: Offset, kind: type[events.MouseEvent] = events.MouseDown) -> events.MouseEvent:
    """What the driver tells of one there."""
    return kind(None, *place, 0, 0, 1, False, False, False, *place)


async def test_a_defect_is_reported_without_the_control_characters_of_its_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = TinyTrainApp(tmp_path / "runs")

    def fail() -> None:
        raise RuntimeError(HOSTILE)

    with pytest.raises(RuntimeError):
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
            app.call_later(fail)
            await pilot.pause(0.2)
    app._print_error_renderables()
    report = capsys.readouterr().err
    assert "RuntimeError" in report and "otter" in report
    assert not [character for character in report if acts(character) and character != "\n"]


async def test_a_field_shows_hostile_text_and_holds_none_of_it() -> None:
    class Fields(App[None]):
        def compose(self) -> ComposeResult:
            yield LineInput(HOSTILE, id="line")
            yield LinesInput(f"{HOSTILE}\n{HOSTILE}")

    app = Fields()
    async with app.run_test(size=(80, 24)) as pilot:
        line, lines = app.query_one(LineInput), app.query_one(LinesInput)
        await pilot.pause()
        for set_again in (False, True):
            if set_again:
                line.value = HOSTILE
                lines.load_text(f"{HOSTILE}\n{HOSTILE}")
                await pilot.pause()
            held = line.value + lines.text
            assert "otter" in held and not [c for c in held if acts(c) and c != "\n"]
            assert not [c for c in shown_text(app) if acts(c) and c != "\n"]
