"""Queues a sweep from the Launch screen, and asks first what is asked before any start."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from textual.app import App

from presets.catalog import Preset
from presets.corpora import with_embedded_corpus
from presets.sweep_axes import Sweep
from runs.folder import RunFolder
from runs.references import MissingReference, with_lasting_references
from runs.sweep import SweepStopped, new_sweep_id, start_sweep
from tui.screens.dialogs import ConfirmDialog
from tui.screens.launch_start import with_data
from tui.screens.start_questions import is_trusted_preset, is_trusted_start, way_to_start


async def queue_sweep(
    app: App[Any],
    sweep: Sweep,
    *,
    preset: Preset,
    begun: Callable[[int], None] = lambda number: None,
    is_wanted: Callable[[], bool] = lambda: True,
) -> str:
    """The id of the sweep whose runs were queued; empty when a person chose not to, or none could be.

    begun: is told how many runs are queued. is_wanted: a no leaves the rest unmade. Says what went wrong in a
    dialog, also when it was in the middle. Blocks no event loop.
    """
    runs: Path = app.runs  # type: ignore[attr-defined]
    try:
        if not await is_trusted_preset(app, preset):
            return ""
        asked = await asyncio.to_thread(with_lasting_references, sweep.base, runs)
        chosen = await with_data(app, asked)
        if chosen is None or not await is_trusted_start(app, chosen, runs):
            return ""
        is_embedded = chosen.data.source != asked.data.source
        wanted = await asyncio.to_thread(_with_references, sweep, is_embedded, runs)
    except (MissingReference, OSError, ValueError) as error:
        await _say(app, "The sweep was not started", str(error))
        return ""
    way = await way_to_start(app, wanted.points[0].config, runs, to_queue=True)
    if way is None:
        return ""
    id, loop = new_sweep_id(preset.name), asyncio.get_running_loop()

    def one_more(number: int, _folder: RunFolder) -> None:
        with contextlib.suppress(RuntimeError):  # the dashboard has ended; nothing here may wait for it
            loop.call_soon_threadsafe(begun, number)

    def start() -> None:
        start_sweep(
            runs, wanted, preset=preset.name, id=id, despite_logout=way.despite_logout,
            begun=one_more, is_wanted=is_wanted,
        )  # fmt: skip

    try:
        await asyncio.to_thread(start)
    except SweepStopped as error:
        await _say(app, "The sweep was not queued whole", str(error))
        return id if error.started else ""
    return id


def _with_references(sweep: Sweep, is_embedded: bool, runs: Path) -> Sweep:
    """The same runs with the data that a person chose, and with what they refer to named so that it lasts."""
    points = []
    for point in sweep.points:
        config = with_embedded_corpus(point.config) if is_embedded else point.config
        points.append(replace(point, config=with_lasting_references(config, runs)))
    return replace(sweep, points=tuple(points))


async def _say(app: App[Any], title: str, text: str) -> None:
    await app.push_screen_wait(ConfirmDialog(title, text, confirm="Close"))
