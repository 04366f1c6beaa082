"""Starts a run from the Launch screen, or queues it, and asks first when something stands against it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.app import App

from presets.catalog import Preset
from presets.corpora import EMBEDDED, with_embedded_corpus
from presets.schema import DataConfig, RunConfig
from runs.folder import RunFolder, create_run
from runs.references import MissingReference, with_lasting_references
from tui.safe_text import safe_text
from tui.screens.dialogs import ChoiceDialog, ConfirmDialog
from tui.screens.start_questions import begin, is_trusted_preset, is_trusted_start, way_to_start


async def launch_run(
    app: App[Any],
    config: RunConfig,
    *,
    name: str,
    preset: Preset,
    to_queue: bool = False,
    begins: Callable[[bool], None] = lambda is_queued: None,
) -> RunFolder | None:
    """The folder of the run that was started or queued; None when a person chose not to, or it could not be done.

    begins: is told whether it is queued, once all questions are answered. Says what went wrong in a
    dialog. Blocks no event loop: files, hub, devices and supervisor are for threads.
    """
    runs: Path = app.runs  # type: ignore[attr-defined]
    try:
        if not await is_trusted_preset(app, preset):
            return None
        asked = await asyncio.to_thread(with_lasting_references, config, runs)
        chosen = await with_data(app, asked)  # of the tokenizer that the run will have
        if chosen is None or not await is_trusted_start(app, chosen, runs):
            return None
        # other data know nothing of a checkpoint's tokenizer; of the same ones this changes nothing
        wanted = await asyncio.to_thread(with_lasting_references, chosen, runs)
    except (MissingReference, OSError, ValueError) as error:
        await _say(app, str(error))
        return None
    way = await way_to_start(app, wanted, runs, to_queue=to_queue)
    if way is None:
        return None
    begins(way.to_queue)
    try:
        folder = await asyncio.to_thread(create_run, runs, wanted, name=name, preset=preset.name)
    except OSError as error:
        await _say(app, f"The run's folder cannot be made in {safe_text(str(runs), 300)}: {error}")
        return None
    try:
        await begin(folder, way)
    except (RuntimeError, OSError, ValueError) as error:
        await _say(app, f"{error}\n\nIts folder is {folder.path}; the form is as you left it.")
        return None
    return folder


async def with_data(app: App[Any], config: RunConfig) -> RunConfig | None:
    """The configuration itself, or with the embedded corpus where a person chose so; None on cancel."""
    if config.data.source != "hub":
        return config
    from runs.hub import hub_status  # brings urllib, which the first paint does not wait for

    status = await asyncio.to_thread(hub_status, config)
    if not status.is_in_the_way:
        return config
    if config.objective.has_labels:
        return await _without_labels(app, config, status.sentence)
    label = EMBEDDED[DataConfig().dataset].label
    body = (
        f"{status.sentence}.\n\n"
        f"The embedded corpus is the {label}: public domain, shipped with the program. "
        "The run's configuration and header will then say that it was used."
    )
    choices = (
        ("embedded", "Use the embedded corpus"),
        ("anyway", "Try anyway"),
        ("cancel", "Cancel"),
    )
    answer = await app.push_screen_wait(ChoiceDialog("The data cannot be had now", body, choices))
    if answer == "embedded":
        return with_embedded_corpus(config)
    return config if answer == "anyway" else None


async def _without_labels(app: App[Any], config: RunConfig, sentence: str) -> RunConfig | None:
    """The embedded corpus has no labels, so it is not offered."""
    choices = (("anyway", "Try anyway"), ("cancel", "Cancel"))
    answer = await app.push_screen_wait(ChoiceDialog("The data cannot be had now", f"{sentence}.", choices))
    return config if answer == "anyway" else None


async def _say(app: App[Any], text: str) -> None:
    await app.push_screen_wait(ConfirmDialog("The run was not started", text, confirm="Close"))
