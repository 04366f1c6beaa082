"""Buttons are always in sight: however low the terminal is, and whatever a toast has to say."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.geometry import Region
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Button
from textual.widgets._toast import Toast

from tests.tui.dialogs_there_are import DIALOGS, LONG, kinds_there_are
from tests.tui.pilots import shown_text, until
from tests.tui.stages import Stage
from tui.app import TinyTrainApp
from tui.screens.dialogs import ConfirmDialog

SIZES = ((60, 14), (40, 10), (80, 24), (200, 60))


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    folder = Path(tempfile.mkdtemp(prefix="small-", dir="/tmp"))
    yield Stage(monkeypatch, folder / "runs")
    monkeypatch.undo()
    time.tzset()
    shutil.rmtree(folder)


def seen(app: App[Any], widget: Widget) -> Region:
    """What of a widget nothing cuts off."""
    place = app.screen._compositor.visible_widgets.get(widget)
    return place[0].intersection(place[1]) if place else Region()


def is_whole(app: App[Any], widget: Widget) -> bool:
    """Every cell of it is on the screen."""
    region = seen(app, widget)
    return bool(region) and region.size == widget.outer_size and app.screen.region.contains_region(region)


async def settled(pilot: Pilot[Any], size: tuple[int, int]) -> None:
    await pilot.resize_terminal(*size)
    await pilot.pause(0.1)
    await pilot.pause()


async def test_every_kind_of_dialog_is_looked_at(stage: Stage) -> None:
    app = TinyTrainApp(stage.runs)
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.screen.is_mounted)
        assert kinds_there_are() == {type(make(app, stage)) for make in DIALOGS.values()}


@pytest.mark.parametrize("name", DIALOGS)
async def test_the_buttons_of_a_dialog_are_in_sight_and_reached_also_under_a_toast(
    name: str, stage: Stage
) -> None:
    app = TinyTrainApp(stage.runs)
    async with app.run_test(size=SIZES[0], notifications=True) as pilot:
        await until(pilot, lambda: app.screen.is_mounted)
        dialog = DIALOGS[name](app, stage)
        await app.push_screen(dialog)
        app.notify(LONG, timeout=60)
        await until(pilot, lambda: dialog.query(Toast))
        for size in SIZES:
            await settled(pilot, size)
            buttons = list(dialog.query(Button))
            is_list = len(buttons) > 6
            for button in buttons:
                if is_list or not button.disabled:
                    button.focus()
                    await until(pilot, lambda: app.focused is button, 3)  # noqa: B023
                await until(pilot, lambda: is_whole(app, button), 3)  # noqa: B023
                assert len(str(button.label)) <= button.size.width * button.size.height, (
                    f"{button.label} is cut off at {size}"
                )
                toasts = [seen(app, toast) for toast in dialog.query(Toast)]
                assert not any(toast.overlaps(seen(app, button)) for toast in toasts), f"{size}: under a toast"
            if buttons and not is_list:
                for end in ("scroll_home", "scroll_end"):  # they stand still, whatever scrolls above them
                    getattr(dialog.query_one(".dialog"), end)(animate=False)
                    await pilot.pause(0.05)
                    assert all(is_whole(app, button) for button in buttons), (size, end)
            for foot in dialog.query(".foot"):
                await until(pilot, lambda: seen(app, foot) and is_whole(app, foot), 3)  # noqa: B023


@pytest.mark.parametrize("size", SIZES)
async def test_a_toast_covers_no_button_of_launch(stage: Stage, size: tuple[int, int]) -> None:
    app = TinyTrainApp(stage.runs)
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.press("1")
        await until(pilot, lambda: app.screen.query("#launch"))
        app.notify(LONG, timeout=60)
        app.notify(LONG, timeout=60)
        await until(
            pilot, lambda: len(app.screen.query(Toast)) == 2 and any(seen(app, one) for one in toasts(app))
        )
        for button in app.screen.query(Button):
            assert not any(seen(app, toast).overlaps(seen(app, button)) for toast in toasts(app)), button.label


def toasts(app: App[Any]) -> list[Toast]:
    return list(app.screen.query(Toast))


async def test_a_long_question_scrolls_above_its_answers(stage: Stage) -> None:
    app = TinyTrainApp(stage.runs)
    async with app.run_test(size=(60, 14)) as pilot:
        await until(pilot, lambda: app.screen.is_mounted)
        body = "\n".join(f"line {number} of it" for number in range(30))
        await app.push_screen(ConfirmDialog("A logout would end this run", body, "Launch anyway", danger=True))
        await until(pilot, lambda: "line 0 of it" in shown_text(app) and "Launch anyway" in shown_text(app))
        await pilot.press(*["down"] * 40)
        await until(pilot, lambda: "line 29 of it" in shown_text(app) and "line 0 of it" not in shown_text(app))
        assert "Launch anyway" in shown_text(app) and "Cancel" in shown_text(app)
