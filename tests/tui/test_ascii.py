"""With `ascii` in the settings nothing but ASCII is drawn, on every screen and in every dialog."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from textual.app import App
from textual.pilot import Pilot

from tests.tui.dialogs_there_are import DIALOGS
from tests.tui.pilots import shown_text, until
from tests.tui.stages import Stage
from tests.tui.test_looks import VISITS, unchanged
from tui.app import TinyTrainApp
from tui.ascii_signs import in_ascii
from tui.settings import Settings

SIZES = ((200, 60), (80, 24), (60, 14))
FOREIGN = "Größe – 学習 … ✓ naïve e\u0301 🚀 \u202e x"


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    folder = Path(tempfile.mkdtemp(prefix="ascii-", dir="/tmp"))
    yield Stage(monkeypatch, folder / "runs")
    monkeypatch.undo()
    time.tzset()
    shutil.rmtree(folder)


def require_ascii(app: App[Any], what: str) -> None:
    text = shown_text(app)
    strange = sorted({character for character in text if ord(character) > 127})
    assert not strange, f"{what} at {app.size}: {strange}\n{text}"
    assert all(cell_len(line) == app.size.width for line in text.split("\n")), what


async def walked(pilot: Pilot[Any], what: str) -> None:
    for size in SIZES:
        await pilot.resize_terminal(*size)
        await unchanged(pilot, 0.25)
        require_ascii(pilot.app, what)


@pytest.mark.parametrize("name", VISITS)
async def test_every_screen_is_ascii(name: str, stage: Stage) -> None:
    app = TinyTrainApp(stage.runs, Settings(ascii=True))
    async with app.run_test(size=SIZES[0], notifications=True) as pilot:
        await until(pilot, lambda: app.screen.is_mounted)
        await VISITS[name](pilot, stage)
        app.notify(FOREIGN, title="● ✓", timeout=60)
        await walked(pilot, name)


async def test_every_dialog_is_ascii(stage: Stage) -> None:
    stage.run(FOREIGN, note=FOREIGN)
    app = TinyTrainApp(stage.runs, Settings(ascii=True))
    async with app.run_test(size=SIZES[1]) as pilot:
        await until(pilot, lambda: app.screen.is_mounted)
        for name, make in DIALOGS.items():
            dialog = make(app, stage)
            await app.push_screen(dialog)
            await unchanged(pilot, 0.2)
            require_ascii(app, name)
            assert dialog is app.screen and "+-" in shown_text(app), f"{name} has a frame"
            dialog.dismiss(None)
            await until(pilot, lambda: app.screen is not dialog)  # noqa: B023


async def test_the_palette_is_ascii(stage: Stage) -> None:
    app = TinyTrainApp(stage.runs, Settings(ascii=True))
    async with app.run_test(size=SIZES[0]) as pilot:
        await until(pilot, lambda: "+- Presets" in shown_text(app))
        await pilot.press("ctrl+p")
        await until(pilot, lambda: "Start the run with what stands in the form." in shown_text(app))
        require_ascii(app, "palette")
        await pilot.press(*"playgr")
        await until(pilot, lambda: "Playground (5)" in shown_text(app))
        require_ascii(app, "palette, searched")


async def test_without_it_frames_are_frames(stage: Stage) -> None:
    app = TinyTrainApp(stage.runs, Settings())
    async with app.run_test(size=SIZES[0]) as pilot:
        await pilot.press("1")
        await until(pilot, lambda: "╭─ Presets" in shown_text(app))


@pytest.mark.parametrize(
    "text", [FOREIGN, "▁▂▃▄▅▆▇█ ⠉⠒⣀ ╭─┬╮│", "👩‍🚀❤️ ｶﾞ ｆｕｌｌ", "e\u0301\u0302", "\u0301", ""]
)
def test_a_text_takes_as_many_cells_as_before(text: str) -> None:
    plain = in_ascii(text)
    assert plain.isascii() and len(plain) == cell_len(text), (plain, text)


def test_letters_keep_what_they_are_without_their_accents() -> None:
    assert in_ascii("naïve Größe → ✓ …") == "naive Gro?e > + ~"
    assert in_ascii("▁▄█") == "_=@" or in_ascii("▁▄█") == "_=#"
