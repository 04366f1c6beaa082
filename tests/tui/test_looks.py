"""Every screen looks as it did, at three sizes, dark, light and without colour.

`LOOKS=write pytest tests/tui/test_looks.py` keeps the present looks in tests/tui/kept_looks; see the diff.
"""

from __future__ import annotations

import difflib
import os
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.tui.looks import LOOKS, SIZES, look_of
from tests.tui.pilots import until
from tests.tui.stages import Stage
from tui.app import TinyTrainApp
from tui.widgets.plan_panel import plan_content

KEPT = Path(__file__).parent / "kept_looks"
_PATIENCE_S = 12.0
_SETTLED_S = 1.0
Visit = Callable[[Pilot[Any], Stage], Awaitable[None]]


async def launch(pilot: Pilot[Any], stage: Stage) -> None:
    await pilot.press("1")
    await until(pilot, lambda: "looking for GPUs" not in str(plan_content(pilot.app.screen.plan, 40)))  # type: ignore[attr-defined]


async def monitor(pilot: Pilot[Any], stage: Stage) -> None:
    await pilot.app.open_run(stage.company()[0])  # type: ignore[attr-defined]


async def failed(pilot: Pilot[Any], stage: Stage) -> None:
    await pilot.app.open_run(stage.failed_run("quick-heron"))  # type: ignore[attr-defined]


async def runs(pilot: Pilot[Any], stage: Stage) -> None:
    stage.company()
    await pilot.press("3")


async def compare(pilot: Pilot[Any], stage: Stage) -> None:
    first, _, second, _ = stage.company()
    await pilot.app.open_compare((first, second))  # type: ignore[attr-defined]


async def playground(pilot: Pilot[Any], stage: Stage) -> None:
    await pilot.app.open_playground(stage.run("warm-otter"))  # type: ignore[attr-defined]


async def data(pilot: Pilot[Any], stage: Stage) -> None:
    await pilot.press("6")


async def help_over_monitor(pilot: Pilot[Any], stage: Stage) -> None:
    await monitor(pilot, stage)
    await pilot.press("question_mark")


VISITS: dict[str, Visit] = {
    "launch": launch, "monitor": monitor, "failed": failed, "runs": runs, "compare": compare,
    "playground": playground, "data": data, "help": help_over_monitor,
}  # fmt: skip


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Its path is as long everywhere: what does not fit of a longer one would be cut off elsewhere."""
    folder = Path(tempfile.mkdtemp(prefix="looks-", dir="/tmp"))
    yield Stage(monkeypatch, folder / "runs")
    monkeypatch.undo()
    time.tzset()
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", VISITS)
async def test_a_screen_looks_as_it_did(name: str, stage: Stage) -> None:
    app = TinyTrainApp(stage.runs)
    async with app.run_test(size=SIZES[-1]) as pilot:
        await until(pilot, lambda: app.screen.is_mounted and app.screen.query("Footer, OurFooter, *"))
        await VISITS[name](pilot, stage)
        await unchanged(pilot, 0.3)  # what scrolls goes by where it was before
        for size in SIZES:
            await pilot.resize_terminal(*size)
            file = KEPT / f"{name}-{size[0]}x{size[1]}.txt"
            parts = [await shown(pilot, look, kept_parts(file).get(look), stage) for look in LOOKS]
            if writes():
                KEPT.mkdir(exist_ok=True)
                file.write_text(document(parts), encoding="utf-8")


def writes() -> bool:
    return os.environ.get("LOOKS") == "write"


async def shown(pilot: Pilot[Any], look: str, kept: list[str] | None, stage: Stage) -> list[str]:
    """Wait until the screen is as it was kept; or, to keep it, until it does not change any more."""
    if kept is None and not writes():
        pytest.fail(f"no look is kept for {look}: see the first lines of this file")
    pilot.app.theme = look
    hidden = (stage.runs.parent.name,)
    deadline, before, since = time.monotonic() + _PATIENCE_S, [""], time.monotonic()
    while time.monotonic() < deadline:
        await pilot.pause(0.02)
        lines, styles = look_of(pilot.app, hidden)
        now = [*lines, *styles]
        if now == kept and not writes():
            return now
        if now != before:
            before, since = now, time.monotonic()
        elif writes() and time.monotonic() - since > _SETTLED_S:
            return now
    difference = "\n".join(difflib.unified_diff(kept or [], before, "kept", "now", lineterm="", n=1))
    pytest.fail(f"{pilot.app.size.width}×{pilot.app.size.height}, {look}:\n{difference}")


async def unchanged(pilot: Pilot[Any], seconds: float) -> None:
    """Wait until nothing on the screen has changed for that long."""
    deadline, before, since = time.monotonic() + _PATIENCE_S, [""], time.monotonic()
    while time.monotonic() - since < seconds and time.monotonic() < deadline:
        await pilot.pause(0.02)
        if (now := look_of(pilot.app)[0]) != before:
            before, since = now, time.monotonic()


def document(parts: list[list[str]]) -> str:
    """The lines once, if they are the same in all looks, then each look's styles."""
    text = ""
    first = [line for line in parts[0] if line.startswith("|")]
    for look, part in zip(LOOKS, parts, strict=True):
        lines = [line for line in part if line.startswith("|")]
        text += f"== {look}\n"
        if part is parts[0] or lines != first:
            text += "".join(f"{line}\n" for line in lines)
        text += "".join(f"{line}\n" for line in part if not line.startswith("|"))
    return text


def kept_parts(file: Path) -> dict[str, list[str]]:
    """By look: its lines and styles."""
    if not file.is_file():
        return {}
    parts: dict[str, list[str]] = {}
    first: list[str] = []
    for section in file.read_text(encoding="utf-8").removeprefix("== ").split("\n== "):
        look, *part = section.removesuffix("\n").split("\n")
        lines = [line for line in part if line.startswith("|")] or first
        first = first or lines
        parts[look] = [*lines, *(line for line in part if not line.startswith("|"))]
    return parts
