"""What a person can do to a run from Monitor and from Runs: ask first, act in a thread, say what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from textual.screen import Screen

from runs import launch
from runs.folder import About, RunFolder
from runs.status import RunStatus
from tui.safe_text import safe_text
from tui.screens.dialogs import ConfirmDialog, TypedConfirmDialog
from tui.screens.edit_run import EditRunDialog
from tui.screens.resume_choice import choose_checkpoint


@dataclass(frozen=True)
class RunChoice:
    """The run an action is about, as the screen that offers it sees it."""

    folder: RunFolder
    about: About
    status: RunStatus
    stop_grace_s: int = 0

    @property
    def name(self) -> str:
        """Its name, safe to show."""
        return safe_text(self.about.name, 60)


def stop(screen: Screen[Any], run: RunChoice) -> None:
    """Ask, then request a stop with a checkpoint."""
    if not run.status.is_live:
        _say(screen, f"{run.name} is {run.status.state}; there is nothing to stop.")
        return
    if run.status.state == "stopping":
        _say(screen, f"{run.name} is stopping already; X kills it.")
        return
    grace = f" It has {run.stop_grace_s} s for that, then it is killed." if run.stop_grace_s else ""
    body = f"{run.name} finishes its step, saves a checkpoint and ends.{grace} It can be resumed later."
    _ask(
        screen, ConfirmDialog("Stop this run?", body, confirm="Stop"), partial(launch.stop, run.folder), "stopping"
    )


def pause(screen: Screen[Any], run: RunChoice) -> None:
    """Ask, then have it save and free its device until it is resumed."""
    if not run.status.is_live:
        _say(screen, f"{run.name} is {run.status.state}; there is nothing to pause.")
        return
    if run.status.state in ("stopping", "pausing"):
        _say(screen, f"{run.name} is {run.status.state} already; X kills it.")
        return
    body = f"{run.name} finishes its step, saves a checkpoint and frees its device. r goes on from there."
    dialog = ConfirmDialog("Pause this run?", body, confirm="Pause")
    _ask(screen, dialog, partial(launch.pause, run.folder), "pausing")


def kill(screen: Screen[Any], run: RunChoice) -> None:
    """Have the name typed, then kill every process of the run."""
    if not run.status.is_live:
        _say(screen, f"{run.name} is {run.status.state}; there is nothing to kill.")
        return
    body = (
        f"Every process of {run.name} is ended at once. Nothing is saved: what came after its last checkpoint "
        "has to be trained again."
    )
    dialog = TypedConfirmDialog("Kill this run?", body, word=run.name)
    _ask(screen, dialog, partial(launch.kill, run.folder), "killed")


def resume(screen: Screen[Any], run: RunChoice, then: Callable[[], None]) -> None:
    """Start a run again from a checkpoint, or from its beginning when it has none."""
    if run.status.is_live:
        _say(screen, f"{run.name} is {run.status.state}; it needs no resume.")
        return

    def begin(checkpoint: str | None) -> None:
        if checkpoint is not None:
            said = f"{run.name} goes on" if checkpoint else f"{run.name} starts again"
            act(screen, partial(launch.start, run.folder, checkpoint), said, then)

    choose_checkpoint(screen, run.folder, run.name, begin)


def edit(screen: Screen[Any], run: RunChoice, then: Callable[[], None]) -> None:
    """Change name, tags and note."""

    def write(about: About | None) -> None:
        if about is not None and about != run.about:
            act(screen, partial(run.folder.write_about, about), "", then)

    screen.app.push_screen(EditRunDialog(run.about), write)


def act(
    screen: Screen[Any], action: Callable[[], object], said: str, then: Callable[[], None] | None = None
) -> None:
    """Do it in a thread, then say so; what goes wrong is said in its own words."""

    def work() -> None:
        try:
            action()
        except (OSError, ValueError, RuntimeError) as error:
            screen.app.call_from_thread(_complain, screen, str(error))
            return
        if said:
            screen.app.call_from_thread(_say, screen, said)
        if then is not None:
            screen.app.call_from_thread(then)

    screen.run_worker(work, thread=True, exit_on_error=True)


def _ask(screen: Screen[Any], dialog: Screen[bool], action: Callable[[], object], said: str) -> None:
    def answered(is_sure: bool | None) -> None:
        if is_sure:
            act(screen, action, said)

    screen.app.push_screen(dialog, answered)


def _say(screen: Screen[Any], words: str) -> None:
    screen.notify(safe_text(words, 300), markup=False, timeout=4)


def _complain(screen: Screen[Any], words: str) -> None:
    screen.notify(safe_text(words, 500), severity="error", markup=False, timeout=10)
