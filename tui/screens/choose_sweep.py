"""Which sweep is meant, where a person does not stand on a run of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from textual.app import App

from runs.summary import RunIndex
from runs.sweep import SweepSummary, loss_of, sweeps
from tui.screens.dialogs import ChoiceDialog

_MOST_CHOICES = 12


async def choose_sweep(app: App[Any]) -> str | None:
    """The id of a sweep that a person chose among the newest; the only one without asking, None without any."""
    runs: Path = app.runs  # type: ignore[attr-defined]
    found = sweeps(await asyncio.to_thread(RunIndex(runs).poll))
    if not found:
        app.notify("No sweep yet. Press S on Launch to make one.", markup=False)
        return None
    if len(found) == 1:
        return found[0].id
    choices = tuple((f"sweep-{at}", _told(one)) for at, one in enumerate(found[:_MOST_CHOICES]))
    more = "" if len(found) <= _MOST_CHOICES else f" of {len(found)}; the command line lists all"
    answer = await app.push_screen_wait(ChoiceDialog("Which sweep?", f"The newest{more}.", choices))
    return None if answer is None else found[int(answer.removeprefix("sweep-"))].id


def _told(one: SweepSummary) -> str:
    best = "" if one.best is None else f", best {loss_of(one.best):.4f}"
    return f"{one.id}: {one.num_over} of {one.num_runs} done{best}"
