"""Whatever is written can be read: its colour differs enough from what it stands on, in every look."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.style import Style
from textual.app import App
from textual.color import Color
from textual.geometry import Region
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import OptionList

from tests.tui.dialogs_there_are import DIALOGS
from tests.tui.pilots import shown_strips, until
from tests.tui.stages import Stage
from tests.tui.test_looks import VISITS, unchanged
from tui.app import TinyTrainApp
from tui.themes import LOOKS, PLAIN
from tui.widgets.run_table import RunTable

SIZE = (120, 40)
LEAST_RATIO = 4.0  # WCAG 2.2 asks 4.5 of small text, and 3 of large
OWN = [name for name in LOOKS if name != PLAIN and not name.startswith("ansi")]  # of those we know the colours


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    folder = Path(tempfile.mkdtemp(prefix="readable-", dir="/tmp"))
    yield Stage(monkeypatch, folder / "runs")
    monkeypatch.undo()
    time.tzset()
    shutil.rmtree(folder)


def contrast(style: Style) -> float:
    """WCAG 2.2's contrast ratio, 1 to 21."""
    assert style.color is not None and style.bgcolor is not None, style
    light, dark = sorted((luminance(style.color), luminance(style.bgcolor)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: Any) -> float:
    def linear(part: int) -> float:
        share = part / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(part) for part in Color.from_rich_color(colour).rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def too_faint(app: App[Any], region: Region) -> list[str]:
    found = []
    for y, strip in enumerate(shown_strips(app)):
        if not region.y <= y < region.bottom:
            continue
        for text, style, _ in strip.crop(region.x, region.right):
            if style is not None and any(character.isalnum() for character in text):
                ratio = contrast(style)
                if ratio < LEAST_RATIO:
                    found.append(f"{ratio:.1f} in line {y}: {text.strip()[:40]!r} ({style})")
    return found


async def require_readable(pilot: Pilot[Any], part: Widget, name: str) -> None:
    """Charts are drawn by a thread: they have the colours of another look a moment later than the rest."""
    deadline = time.monotonic() + 12
    while (faint := too_faint(pilot.app, part.region)) and time.monotonic() < deadline:
        await pilot.pause(0.05)
    assert not faint, f"{name}:\n" + "\n".join(faint)


def test_contrast_is_as_it_is_defined() -> None:
    assert contrast(Style.parse("#ffffff on #000000")) == pytest.approx(21)
    assert contrast(Style.parse("#777777 on #ffffff")) == pytest.approx(4.48, abs=0.01)
    assert contrast(Style.parse("#d7dde4 on #62b0d9")) < 2  # the cursor of lists, once


@pytest.mark.parametrize("look", OWN)
@pytest.mark.parametrize("name", [name for name in VISITS if name != "help"])
async def test_all_that_stands_on_a_screen_can_be_read(name: str, look: str, stage: Stage) -> None:
    app = TinyTrainApp(stage.runs)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.screen.is_mounted)
        await VISITS[name](pilot, stage)
        app.theme = look
        await unchanged(pilot, 0.3)
        await require_readable(pilot, app.screen, name)


@pytest.mark.parametrize("look", OWN)
async def test_all_that_stands_in_a_dialog_can_be_read(look: str, stage: Stage) -> None:
    app = TinyTrainApp(stage.runs)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.screen.is_mounted)
        app.theme = look
        for name, make in DIALOGS.items():
            dialog = make(app, stage)
            await app.push_screen(dialog)
            await unchanged(pilot, 0.15)
            await require_readable(pilot, dialog.children[0], name)
            dialog.dismiss(None)
            await until(pilot, lambda: app.screen is not dialog)  # noqa: B023


@pytest.mark.parametrize("look", [name for name in LOOKS if name.startswith("ansi")])
async def test_on_colours_that_nobody_knows_the_cursor_is_reversed(look: str, stage: Stage) -> None:
    stage.company()
    app = TinyTrainApp(stage.runs)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.screen.is_mounted)
        app.theme = look
        for key, kind in (("1", OptionList), ("3", RunTable)):
            await pilot.press(key)
            await until(pilot, lambda: isinstance(app.focused, kind))  # noqa: B023
            styles = await until(pilot, lambda: reversed_words(app))
            assert all(style.bgcolor is None or style.bgcolor.is_default for style in styles), styles


def reversed_words(app: App[Any]) -> list[Style]:
    assert app.focused is not None
    strips = shown_strips(app)[app.focused.region.y : app.focused.region.bottom]
    words = [(text.strip(), style) for strip in strips for text, style, _ in strip if style is not None]
    return [style for text, style in words if text.isascii() and text and style.reverse]
