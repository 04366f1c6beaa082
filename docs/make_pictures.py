"""Make the README's pictures from the app itself: `python docs/make_pictures.py [RUN]`.

Shows the runs of `$TINYTRAIN_RUNS`: RUN, else the one that finished with the best validation loss, on Monitor and
in the Playground; the newest sweep; the newest run that failed. Each picture waits for what it shall show, and a
picture that does not come is said. The settings and the state of whoever calls it are neither used nor changed.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PICTURES = Path(__file__).parent / "pictures"
THEME = "tinytrain-dark"
SIZE, WIDE = (120, 40), (200, 60)
TEXT = "the president sent a message to the congress of the united [MASK] of america"
PATIENCE_S = 60.0
CALM_S = 1.5


class Missing(Exception):
    """The runs have nothing to show in one of the pictures; the text says what."""


@dataclass(frozen=True)
class Subjects:
    """Which runs the pictures are about. others: finished ones beside the best, to compare it with."""

    best: Any
    others: tuple[Any, ...]
    failed: Any
    sweep: str


def subjects(runs: Path, reference: str) -> Subjects:
    """Choose them. Raises Missing, RunNotFound."""
    from runs.folder import find_run
    from runs.summary import RunIndex
    from runs.sweep import sweeps

    rows = RunIndex(runs).poll()
    finished = [row for row in rows if row.status.state == "finished" and row.best_loss is not None]
    alone = [row for row in finished if not row.sweep]
    if not alone:
        raise Missing("no run has finished")
    best = min(alone, key=lambda row: row.best_loss or 0.0)
    if reference:
        best = next((row for row in rows if row.folder == find_run(runs, reference)), best)
    others = tuple(row.folder for row in alone if row.id != best.id and row.preset == best.preset)
    if not others:
        raise Missing(f"no other run of the preset {best.preset} has finished")
    failed = [row for row in rows if row.status.state == "failed"]
    if not failed:
        raise Missing("no run has failed")
    found = sweeps(rows)
    if not found:
        raise Missing("there is no sweep")
    return Subjects(best.folder, others, failed[0].folder, found[0].id)


class Photographer:
    """One app of one size, and what is written of it."""

    def __init__(self, app: Any, pilot: Any) -> None:
        self.app = app
        self._pilot = pilot

    @property
    def text(self) -> str:
        """What stands on the screen, line by line."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip) for strip in strips)

    async def press(self, *keys: str) -> None:
        """Press keys."""
        await self._pilot.press(*keys)

    async def until(self, what: str, holds: Callable[[], Any]) -> None:
        """Let the app work until it holds. what: for the message when it does not."""
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {PATIENCE_S:.0f} s there is still not: {what}\n{self.text}")
            await self._pilot.pause(0.05)

    async def until_seen(self, *words: str) -> None:
        """Let the app work until all the words stand on the screen."""
        await self.until(f"{words} on the screen", lambda: all(word in self.text for word in words))

    async def until_calm(self) -> None:
        """Let the app work until nothing that is shown changes for a while."""
        before, since, deadline = "", time.monotonic(), time.monotonic() + PATIENCE_S
        while time.monotonic() - since < CALM_S and time.monotonic() < deadline:
            await self._pilot.pause(0.1)
            if (text := self.text) != before:
                before, since = text, time.monotonic()

    async def take(self, name: str) -> None:
        """Write what is shown, once it is calm."""
        await self.until_calm()
        self.app.clear_notifications()
        await self._pilot.pause(0.1)
        svg = self.app.export_screenshot(title="tinytrain-tui")
        (PICTURES / f"{name}.svg").write_text(svg, encoding="utf-8")
        sys.stdout.write(f"{name}.svg\n")


@asynccontextmanager
async def opened(runs: Path, size: tuple[int, int]) -> AsyncIterator[Photographer]:
    """The app on those runs, as at a first start."""
    from tui.app import TinyTrainApp

    app = TinyTrainApp(runs=runs)
    app.theme = THEME
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield Photographer(app, pilot)


async def monitor(camera: Photographer, run: Any, name: str) -> None:
    """A run that learned, the crosshair where it was half as old."""
    await camera.app.open_run(run)
    await camera.until_seen("finished", "Probes", "★", "Devices")
    await camera.until_calm()
    await camera.press("left", *["shift+left"] * 3)
    await camera.take(name)


async def failure(camera: Photographer, run: Any) -> None:
    """A run that failed, with its cause."""
    await camera.app.open_run(run)
    await camera.until("the failure panel", lambda: camera.app.screen.query_one("#failure").display)
    await camera.take("failure")


async def browse(camera: Photographer) -> None:
    """All runs, under headings."""
    await camera.press("3")
    await camera.until_seen("Runs", "finished")
    await camera.take("runs")


async def sweep(camera: Photographer, id: str) -> None:
    """What came of a sweep."""
    from tui.screens.sweep_results import show_sweep

    await camera.press("3")
    show_sweep(camera.app, id)
    await camera.until_seen(f"Sweep {id}", "★")
    await camera.take("sweep")
    await camera.press("escape")


async def compare(camera: Photographer, runs: Sequence[Any]) -> None:
    """Runs of one preset beside one another, on the curve of what was not trained on."""
    await camera.app.open_compare(tuple(runs))
    await camera.until_seen("Figures", "★")
    await camera.until_calm()
    await camera.press("full_stop")
    await camera.until_seen("val loss (nats)")
    await camera.take("compare")


async def playground(camera: Photographer, run: Any, other: Any) -> None:
    """A word that two checkpoints fill in, and what a head of each looks at."""
    await camera.app.open_playground(run, "best")
    screen = camera.app.screen
    screen.take(screen.state.second, other, "", "best")
    await camera.until("both models loaded", lambda: all(side.answer is not None for side in screen.state.sides))
    await camera.press("e")
    screen.text.value = TEXT
    await camera.press("enter", "w")
    await camera.until_seen("against", "Attention", "each looks at")
    await camera.press("right_square_bracket")
    await camera.until("both answers", lambda: all(side.answered == side.asked for side in screen.state.sides))
    await camera.until_seen("layer 2", "each looks at")
    await camera.take("playground")


async def data(camera: Photographer) -> None:
    """The embedded corpus: real rows and their tokens."""
    await camera.press("6")
    await camera.until_seen("datasets", "addresses", "enter reads real rows")
    await camera.press("enter")
    await camera.until("rows", lambda: not any(one in camera.text for one in ("enter reads real rows", "reading")))
    await camera.take("data")


async def launch(camera: Photographer) -> None:
    """The quickstart, and what it will cost."""
    await camera.press("1")
    await camera.until_seen("quickstart", "ready to launch", "fits")
    await camera.take("launch")


async def main(reference: str) -> None:
    """All of them. Raises Missing, TimeoutError, RunNotFound."""
    from runs.folder import runs_dir

    runs = runs_dir()
    about = subjects(runs, reference)
    async with opened(runs, SIZE) as camera:
        await launch(camera)
        await data(camera)
        await browse(camera)
        await sweep(camera, about.sweep)
        await compare(camera, (about.best, *about.others[:3]))
        await playground(camera, about.best, about.others[0])
        await failure(camera, about.failed)
        await monitor(camera, about.best, "monitor")
    async with opened(runs, WIDE) as camera:
        await monitor(camera, about.best, "monitor-wide")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "XDG_STATE_HOME": folder, "TINYTRAIN_CONFIG": f"{folder}/settings.toml",
            "TINYTRAIN_PRESETS": f"{folder}/presets", "COLORTERM": "truecolor", "TERM": "xterm-256color",
        }  # fmt: skip
        os.environ.pop("NO_COLOR", None)
        try:
            asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else ""))
        except (Missing, LookupError, TimeoutError) as error:
            sys.exit(f"no pictures: {error}")
