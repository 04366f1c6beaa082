"""What the Playground asks over itself: a checkpoint, a word, how to draw, what to try again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.screen import Screen

from runs.folder import RunFolder
from tui.playground_state import PlaygroundState, Sampling, Side, Tried
from tui.screens.dialogs import TextDialog
from tui.screens.pick_checkpoint import PickCheckpoint, Picked
from tui.screens.pick_tried import PickTried
from tui.screens.sampling_dialog import SamplingDialog

Take = Callable[[Side, RunFolder | None, str, str], None]


def ask_checkpoint(screen: Screen[Any], state: PlaygroundState, which: str, runs: Path, take: Take) -> None:
    """Which checkpoint that side shall have; the second may have none. which: `first` or `second`."""
    side = state.first if which == "first" else state.second
    title = "Which checkpoint?" if which == "first" else "Against which checkpoint?"

    def picked(answer: Picked | None) -> None:
        if answer is not None:
            take(side, answer.folder, answer.name, answer.checkpoint)

    dialog = PickCheckpoint(title, runs, side.folder, may_be_none=which == "second")
    screen.app.push_screen(dialog, picked)


def ask_word(screen: Screen[Any], state: PlaygroundState, take: Callable[[str], None]) -> None:
    """Whose neighbours are wanted; empty for the likely word under the cursor."""

    def named(word: str | None) -> None:
        if word is not None:
            take(word.strip())

    body = "Whose neighbours? Empty: those of the likely word under the cursor."
    screen.app.push_screen(TextDialog("Neighbours of a word", body, state.word), named)


def ask_sampling(screen: Screen[Any], state: PlaygroundState, take: Callable[[Sampling], None]) -> None:
    """How a causal model draws."""

    def chosen(sampling: Sampling | None) -> None:
        if sampling is not None:
            take(sampling)

    screen.app.push_screen(SamplingDialog(state.sampling), chosen)


def ask_tried(screen: Screen[Any], state: PlaygroundState, take: Callable[[str], None]) -> None:
    """Which text of the history is tried again."""

    def chosen(tried: Tried | None) -> None:
        if tried is not None:
            take(tried.text)

    screen.app.push_screen(PickTried(state.tried), chosen)
