"""Keys that arrive faster than focus and screens change, as over a slow line, mean what was meant."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import ClassVar

import pytest
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.command import CommandPalette
from textual.containers import Vertical
from textual.geometry import Offset
from textual.widgets import Input

from tests.run_writer import finished_run
from tests.tui.pilots import until
from tui.app import TinyTrainApp
from tui.key_order import KeyOrder
from tui.screens.browse import RunsScreen
from tui.screens.help import HelpScreen
from tui.screens.launch import LaunchScreen
from tui.screens.save_preset import SavePresetDialog
from tui.widgets.line_input import LineInput


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order is looked at, and not how fast a busy machine is."""
    monkeypatch.setattr("tui.key_order._STUCK_S", 20.0)


def arrive(app: KeyOrder, *keys: str) -> None:
    """All at once, as one piece of what the terminal sends."""
    for key in keys:
        app.post_message(events.Key(key, key if len(key) == 1 else None))


async def test_what_is_typed_with_the_key_that_opens_a_field_stands_in_the_field(tmp_path: Path) -> None:
    finished_run(tmp_path, steps=20)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        arrive(app, "3", "slash", *"tag:keep", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.rows)
        screen = app.screen
        assert isinstance(screen, RunsScreen)
        await until(pilot, lambda: screen.listing.query == "tag:keep")
        assert len(app.screen_stack) == 2, "none of the letters was a command"
        arrive(app, "slash", "ctrl+u", *"otter", "backspace", "s")
        await until(pilot, lambda: screen.query_one("#filter", LineInput).value == "ottes")


async def test_what_is_typed_with_the_key_that_opens_a_dialog_belongs_to_the_dialog(tmp_path: Path) -> None:
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        arrive(app, "ctrl+p", *"keys")
        palette = await until(pilot, lambda: app.screen if isinstance(app.screen, CommandPalette) else None)
        await until(pilot, lambda: palette.query_one(Input).value == "keys")
        arrive(app, "escape", "question_mark", "escape", "3", "question_mark")
        shown = [RunsScreen, HelpScreen]
        await until(pilot, lambda: [type(screen) for screen in app.screen_stack[1:]] == shown)


async def test_what_follows_an_enter_comes_after_what_the_enter_did(tmp_path: Path) -> None:
    for name in ("otter", "zebra"):
        finished_run(tmp_path, name, steps=20)
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        await pilot.press("3")
        screen = await until(pilot, lambda: app.screen if isinstance(app.screen, RunsScreen) else None)
        await until(pilot, lambda: len(screen.rows) == 2)
        arrive(app, "o", *"name", "enter", "slash", *"zeb", "enter", "space")
        await until(pilot, lambda: screen.num_marked == 1)
        assert (screen.listing.sort, screen.listing.query) == ("name", "zeb")
        assert len(app.screen_stack) == 2


async def test_a_click_waits_for_what_was_typed_before_it(tmp_path: Path) -> None:
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen) and app.screen.plan)
        launch = app.screen
        place = launch.query_one("#save").region.offset + Offset(1, 0)
        arrive(app, "slash", *"dropout")
        for kind in (events.MouseDown, events.MouseUp):
            app.post_message(kind(None, *place, 0, 0, 1, False, False, False, *place))
        await until(pilot, lambda: isinstance(app.screen, SavePresetDialog))
        assert launch.query_one("#search", Input).value == "dropout"


async def test_a_paste_waits_for_the_key_before_it(tmp_path: Path) -> None:
    app = TinyTrainApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LaunchScreen))
        arrive(app, "slash")
        app.post_message(events.Paste("learning"))
        await until(pilot, lambda: app.screen.query_one("#search", Input).value == "learning")


class _Slow(Vertical, can_focus=True):
    """Takes long for its first key."""

    is_done = False

    async def on_key(self, event: events.Key) -> None:
        if event.key == "a":
            await asyncio.sleep(3.0)
            self.is_done = True


class _Noting(KeyOrder):
    BINDINGS: ClassVar[list[BindingType]] = [Binding("b", "note('b')"), Binding("c", "note('c')")]

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[str] = []

    def compose(self) -> ComposeResult:
        yield _Slow()

    def action_note(self, key: str) -> None:
        self.noted.append(key)


async def test_a_key_that_takes_too_long_does_not_hold_up_the_others_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tui.key_order._STUCK_S", 0.5)
    app = _Noting()
    async with app.run_test() as pilot:
        slow = app.query_one(_Slow)
        slow.focus()
        await pilot.pause()
        arrive(app, "a", "b", "c")
        await asyncio.sleep(0.1)
        assert app.noted == []
        app.set_focus(None)
        await asyncio.sleep(1.5)
        assert app.noted == ["b", "c"] and not slow.is_done
