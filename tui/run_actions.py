"""What a person can do to a run from Monitor and from Runs: ask first, act in a thread, say what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from textual.screen import Screen

from runs import launch
from runs.folder import About, RunFolder
from runs.status import RunStatus
from tui.safe_text import safe_text
from tui.screens.dialogs import ConfirmDialog, TypedConfirmDialog
from tui.screens.edit_run import EditRunDialog
from tui.screens.resume_choice import choose_checkpoint, newest_checkpoint
from tui.screens.start_questions import begin, is_trusted_run, way_to_start

Where = Literal["up", "down", "first", "last"]

_ENDING = ("stopping", "pausing")
_OFFERED: dict[str, Callable[[RunStatus], bool]] = {
    "stop": lambda status: status.is_live,
    "kill": lambda status: status.is_live or _has_left(status),
    "pause": lambda status: _answers(status),
    "rate": lambda status: _answers(status),
    "steps": lambda status: _answers(status),
    "ask": lambda status: _answers(status),
    "queue_move": lambda status: status.state == "queued",
    "resume": lambda status: not status.is_live,
    "relaunch": lambda status: status.state in ("failed", "stopped", "paused"),
    "delete": lambda status: not status.is_live,
    "edit": lambda status: True,
}


@dataclass(frozen=True)
class RunChoice:
    """The run an action is about, as its screen sees it. read_only: why it is not ours to change, or empty."""

    folder: RunFolder
    about: About
    status: RunStatus
    stop_grace_s: int = 0
    read_only: str = ""

    @property
    def name(self) -> str:
        """Its name, safe to show."""
        return safe_text(self.about.name, 60)


def offers(run: RunChoice | None, action: str) -> bool:
    """Whether a screen offers this action for that run; actions that are about no run are always offered."""
    is_possible = _OFFERED.get(action)
    if is_possible is None:
        return True
    return run is not None and not run.read_only and is_possible(run.status)


def stop(screen: Screen[Any], run: RunChoice) -> None:
    """Ask, then request a stop with a checkpoint, or take a queued run out of the queue."""
    if _refuses(screen, run):
        return
    if not run.status.is_live:
        _say(screen, f"{run.name} is {run.status.state}; there is nothing to stop.")
        return
    if run.status.state == "queued":
        _take_out(screen, run)
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
    if _refuses(screen, run):
        return
    if not run.status.is_live:
        _say(screen, f"{run.name} is {run.status.state}; there is nothing to pause.")
        return
    if run.status.state in _ENDING:
        _say(screen, f"{run.name} is {run.status.state} already; X kills it.")
        return
    body = f"{run.name} finishes its step, saves a checkpoint and frees its device. r goes on from there."
    dialog = ConfirmDialog("Pause this run?", body, confirm="Pause")
    _ask(screen, dialog, partial(launch.pause, run.folder), "pausing")


def kill(screen: Screen[Any], run: RunChoice) -> None:
    """Have the name typed, then kill every process of the run; a queued one has none, and leaves the queue."""
    if _refuses(screen, run):
        return
    if not offers(run, "kill"):
        _say(screen, f"{run.name} is {run.status.state}; there is nothing to kill.")
        return
    if run.status.state == "queued":
        _take_out(screen, run)
        return
    body = (
        f"Every process of {run.name} is ended at once. Nothing is saved: what came after its last checkpoint "
        "has to be trained again."
    )
    dialog = TypedConfirmDialog("Kill this run?", body, word=run.name)
    _ask(screen, dialog, partial(launch.kill, run.folder), "killed")


def resume(screen: Screen[Any], run: RunChoice, then: Callable[[], None]) -> None:
    """Start a run again from a checkpoint, or from its beginning when it has none; or queue it."""
    if _refuses(screen, run):
        return
    if run.status.is_live:
        _say(screen, f"{run.name} is {run.status.state}; it needs no resume.")
        return

    def chosen(checkpoint: str | None) -> None:
        if checkpoint is not None:
            _go_on(screen, run, checkpoint, then)

    choose_checkpoint(screen, run.folder, run.name, chosen)


def relaunch(screen: Screen[Any], run: RunChoice, then: Callable[[], None]) -> None:
    """Resume from the last checkpoint, or from the beginning when there is none, without asking which."""
    if not _refuses(screen, run) and offers(run, "relaunch"):
        _go_on(screen, run, newest_checkpoint(run.folder), then)


def move_in_queue(screen: Screen[Any], run: RunChoice, where: Where, then: Callable[[], None]) -> None:
    """Give a queued run another place."""
    if _refuses(screen, run) or not offers(run, "queue_move"):
        return

    def move() -> None:
        from runs import queue

        queue.move(run.folder, where)

    act(screen, move, "", then)


def edit(screen: Screen[Any], run: RunChoice, then: Callable[[], None]) -> None:
    """Change name, tags and note."""
    if _refuses(screen, run):
        return

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


def _go_on(screen: Screen[Any], run: RunChoice, checkpoint: str, then: Callable[[], None]) -> None:
    """Ask what has to be asked before a start, then start or queue it."""

    async def work() -> None:
        app = screen.app
        try:
            if not await is_trusted_run(app, run.folder):
                return
            config = await asyncio.to_thread(run.folder.config)
            way = await way_to_start(app, config, run.folder.path.parent)
            if way is None:
                return
            await begin(run.folder, way, checkpoint)
        except (OSError, ValueError, RuntimeError) as error:
            _complain(screen, str(error))
            return
        if way.to_queue:
            _say(screen, f"{run.name} is in the queue")
        else:
            _say(screen, f"{run.name} goes on" if checkpoint else f"{run.name} starts again")
        then()

    screen.run_worker(work(), group="start", exit_on_error=True)


def _take_out(screen: Screen[Any], run: RunChoice) -> None:
    body = f"{run.name} waits for its turn and has not begun. r or R starts it, or queues it again."
    dialog = ConfirmDialog("Take this run out of the queue?", body, confirm="Take out")
    _ask(screen, dialog, partial(launch.stop, run.folder), f"{run.name} is out of the queue")


def _answers(status: RunStatus) -> bool:
    """Whether an engine is there, or comes, that takes requests."""
    return status.is_live and status.state not in (*_ENDING, "queued")


def _has_left(status: RunStatus) -> bool:
    """Whether the run has ended, and something of it has not."""
    return status.outcome is not None and bool(status.outcome.left)


def _refuses(screen: Screen[Any], run: RunChoice) -> bool:
    """Say why nothing of this run may be changed, when that is so."""
    if run.read_only:
        _complain(screen, f"{run.read_only}.")
    return bool(run.read_only)


def _ask(screen: Screen[Any], dialog: Screen[bool], action: Callable[[], object], said: str) -> None:
    def answered(is_sure: bool | None) -> None:
        if is_sure:
            act(screen, action, said)

    screen.app.push_screen(dialog, answered)


def _say(screen: Screen[Any], words: str) -> None:
    screen.notify(safe_text(words, 300), markup=False, timeout=4)


def _complain(screen: Screen[Any], words: str) -> None:
    screen.notify(safe_text(words, 500), severity="error", markup=False, timeout=10)
