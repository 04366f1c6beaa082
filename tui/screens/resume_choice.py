"""Which checkpoint a run goes on from: asked only when there is a choice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.screen import Screen

from runs.checkpoint_names import pointed_at
from runs.folder import RunFolder
from tui.safe_text import safe_text
from tui.screens.dialogs import ChoiceDialog, ConfirmDialog


def choose_checkpoint(
    screen: Screen[Any], folder: RunFolder, name: str, then: Callable[[str | None], None]
) -> None:
    """Call `then` with `last` or `best`, with "" to start anew, or with None when it was thought better of."""
    names = {pointer: _target(folder, pointer) for pointer in ("last", "best")}
    last, best = names["last"], names["best"]
    if not last and not best:
        body = f"{name} has saved no checkpoint, so it begins again at step 0 as a new attempt."
        dialog = ConfirmDialog("Start it again?", body, confirm="Start again")
        screen.app.push_screen(dialog, lambda is_sure: then("" if is_sure else None))
    elif last and best and last != best:
        choices = (("last", f"last: {last}"), ("best", f"best: {best}"))
        body = "The curve goes on from there; what came after that step is hidden, not deleted."
        screen.app.push_screen(ChoiceDialog("Resume from which checkpoint?", body, choices), then)
    else:
        then("last" if last else "best")


def newest_checkpoint(folder: RunFolder) -> str:
    """`last` where the run has saved one, else `best`, else ""."""
    return next((pointer for pointer in ("last", "best") if _target(folder, pointer)), "")


def _target(folder: RunFolder, pointer: str) -> str:
    """The checkpoint a pointer names, or "" when there is none."""
    return safe_text(pointed_at(folder.checkpoints_dir, pointer), 60)
