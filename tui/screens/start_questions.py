"""What is asked before any start: strange configurations, logouts that would end the run, devices in use."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual.app import App

from presets.catalog import Preset
from presets.config import Change
from presets.schema import RunConfig
from runs import launch
from runs.folder import RunFolder, RunNotFound, find_run
from tui.safe_text import safe_text
from tui.screens.changes_dialog import ChangesDialog
from tui.screens.dialogs import ChoiceDialog, ConfirmDialog

_WAYS = (
    ("queue", "Queue it: it starts by itself when they are free"),
    ("now", "Start now anyway"),
    ("cancel", "Cancel"),
)


@dataclass(frozen=True)
class StartWay:
    """How a run shall start: now or in its turn, and whether although a logout would end it."""

    to_queue: bool = False
    despite_logout: bool = False


async def way_to_start(app: App[Any], config: RunConfig, runs: Path, *, to_queue: bool = False) -> StartWay | None:
    """Ask what stands against a start; None when a person thought better of it. Call it in a worker.

    to_queue: a person wants the run in the queue, whether devices are free or not.
    """
    despite_logout = await _accepts_logout(app)
    if despite_logout is None:
        return None
    if to_queue:
        return StartWay(True, despite_logout)
    from runs.devices import free_now

    answer = await asyncio.to_thread(free_now, config, runs)
    if answer.is_free:
        return StartWay(False, despite_logout)
    body = f"{answer.sentence[:1].upper()}{answer.sentence[1:]}."
    choice = await app.push_screen_wait(ChoiceDialog("The devices are not free", body, _WAYS))
    return None if choice in (None, "cancel") else StartWay(choice == "queue", despite_logout)


async def begin(folder: RunFolder, way: StartWay, resume: str = "") -> None:
    """Start the run or queue it, in a thread. Raises what `launch.start` and `queue.enqueue` do."""
    despite = {"despite_logout": True} if way.despite_logout else {}
    if not way.to_queue:
        await asyncio.to_thread(launch.start, folder, resume, **despite)
        return
    from runs import queue

    await asyncio.to_thread(queue.enqueue, folder, resume, **despite)


async def is_trusted_run(app: App[Any], folder: RunFolder) -> bool:
    """Whether the run's configuration is known here, or a person has looked at it now and agreed.

    Raises OSError or ConfigError when it cannot be read.
    """
    from runs import trust

    changes = await asyncio.to_thread(trust.changes_of_run, folder)
    if not await agrees(app, changes, f"the configuration of {safe_text(folder.id, 80)}"):
        return False
    if changes:
        await asyncio.to_thread(trust.remember_run, folder)
    return True


async def is_trusted_preset(app: App[Any], preset: Preset) -> bool:
    """The same for a preset, which a person may have got from somebody else. Raises ConfigError."""
    from runs import trust

    changes = await asyncio.to_thread(trust.changes_of_preset, preset)
    if not await agrees(app, changes, f"the preset {safe_text(preset.name, 80)}"):
        return False
    if changes:
        await asyncio.to_thread(trust.remember, preset.text)
    return True


async def is_trusted_start(app: App[Any], config: RunConfig, runs: Path) -> bool:
    """The same for the run whose weights a new one starts from, if it does. Raises OSError or ConfigError."""
    if not config.model.start_from:
        return True
    from runs.references import split_reference

    try:
        folder = await asyncio.to_thread(find_run, runs, split_reference(config.model.start_from)[0])
    except RunNotFound as error:
        raise ValueError(f"model.start_from: {error}") from None
    return await is_trusted_run(app, folder)


async def agrees(app: App[Any], changes: tuple[Change, ...], what: str) -> bool:
    """Whether a person who was shown the changes from the defaults wants to use them; yes when there are none."""
    if not changes:
        return True
    answer: bool = await app.push_screen_wait(ChangesDialog(what, changes))
    return answer


async def _accepts_logout(app: App[Any]) -> bool | None:
    """True when a person starts it although a logout would end it, False when none would, None for no start."""
    from runs.logout import logout_risk

    risk = await asyncio.to_thread(logout_risk)
    if risk is None:
        return False
    if not risk.blocks:
        words = safe_text(f"{risk.sentence}. To change that: {risk.advice}", 500)
        app.notify(words, title="Good to know", markup=False, timeout=10)
        return False
    body = (
        f"{risk.sentence[:1].upper()}{risk.sentence[1:]}.\n\n"
        f"So that runs outlive the logout, type this once in a shell:\n\n    {risk.advice}"
    )
    dialog = ConfirmDialog("A logout would end this run", body, confirm="Launch anyway", danger=True)
    return True if await app.push_screen_wait(dialog) else None
