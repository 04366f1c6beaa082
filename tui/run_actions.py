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
from runs.status import FOLDER_GONE, RunStatus
from tui.safe_text import safe_text
from tui.screens.dialogs import ConfirmDialog, TypedConfirmDialog
from tui.screens.edit_run import EditRunDialog
from tui.screens.resume_choice import choose_checkpoint, newest_checkpoint
from tui.screens.start_questions import begin, is_trusted_run, way_to_start
from tui.stop_words import Consequence, of_pause, of_stop

Where = Literal["up", "down", "first", "last"]

_ENDING = ("stopping", "pausing")
_OFFERED: dict[str, Callable[[RunStatus], bool]] = {
    "stop": lambda status: status.is_live and status.state != "stopping",
    "take_out": lambda status: status.state == "queued",
    "kill": lambda status: status.is_live or _has_left(status),
    "kill_now": lambda status: status.state in _ENDING,
    "pause": lambda status: _answers(status),
    "rate": lambda status: _answers(status),
    "steps": lambda status: _answers(status),
    "ask": lambda status: _answers(status),
    "edit_probes": lambda status: _answers(status),
    "queue_move": lambda status: status.state == "queued",
    "resume": lambda status: not status.is_live,
    "resume_only": lambda status: status.state in ("finished", "lost"),
    "relaunch": lambda status: status.state in ("failed", "stopped", "paused"),
    "delete": lambda status: not status.is_live,
    "edit": lambda status: True,
}


@dataclass(frozen=True)
class RunChoice:
    """The run an action is about, as its screen sees it. read_only: why it is not ours to change, or empty.

    place: in the queue, 1 is next, 0 when not known. is_last: nobody waits behind it.
    """

    folder: RunFolder
    about: About
    status: RunStatus
    stop_grace_s: int = 0
    read_only: str = ""
    place: int = 0
    is_last: bool = False

    @property
    def name(self) -> str:
        """Its name, safe to show."""
        return safe_text(self.about.name, 60)


def offers(run: RunChoice | None, action: str) -> bool:
    """Whether a screen offers this action for that run; actions that are about no run are always offered."""
    is_possible = _OFFERED.get(action)
    if is_possible is None:
        return True
    return run is not None and not run.read_only and not _is_gone(run) and is_possible(run.status)


def can_move(run: RunChoice | None, where: Where) -> bool:
    """Whether a queued run can be given that place."""
    if run is None or not offers(run, "queue_move"):
        return False
    return run.place != 1 if where in ("up", "first") else not run.is_last


def why_not(run: RunChoice, action: str) -> str:
    """Why an action is not offered for that run, as a sentence; empty for one that is."""
    if run.read_only:
        return f"{run.read_only}."
    state, name = run.status.state, run.name
    if _is_gone(run):
        return f"{name}: {run.status.reason}."
    if action == "queue_move":
        if state != "queued":
            return f"{name} is {state}; it does not wait in the queue."
        return f"{name} is the next already." if run.place == 1 else f"{name} is the last in the queue already."
    if offers(run, action):
        return ""
    if action in ("stop", "pause") and state in _ENDING:
        return f"{name} is {state} already; X kills it."
    if action in ("resume", "relaunch"):
        done = "it needs no resume" if run.status.is_live else "r goes on from a checkpoint"
        return f"{name} is {state}; {done}."
    if state == "queued":
        return f"{name} waits in the queue; x takes it out."
    if action == "delete":
        return f"{name} is {state}; stop it first."
    verb = {"stop": "stop", "kill": "kill", "pause": "pause"}.get(action, "ask it for")
    return f"{name} is {state}; there is nothing to {verb}."


def withdraw(screen: Screen[Any], run: RunChoice) -> None:
    """Close a question about the run that it has outrun: it has ended meanwhile, or has come out of the queue."""
    dialog = screen.app.screen
    if not isinstance(dialog, ConfirmDialog | TypedConfirmDialog) or dialog.about is None:
        return
    verb, folder = dialog.about
    if folder == run.folder and not offers(run, verb):
        dialog.dismiss(False)
        _say(screen, f"{run.name} is {run.status.state} now; nothing was done.")


def stop(screen: Screen[Any], run: RunChoice) -> None:
    """Ask, then request a stop with a checkpoint, or take a queued run out of the queue."""
    if refuses(screen, run, "stop"):
        return
    if run.status.state == "queued":
        _take_out(screen, run)
        return
    then = of_stop(run.name, run.folder, run.stop_grace_s)
    dialog = _warning("Stop this run", "Stop", then)
    _ask(screen, dialog, partial(launch.stop, run.folder), "stopping", ("stop", run.folder))


def pause(screen: Screen[Any], run: RunChoice) -> None:
    """Ask, then have it save and free its device until it is resumed."""
    if refuses(screen, run, "pause"):
        return
    dialog = _warning("Pause this run", "Pause", of_pause(run.name, run.folder))
    _ask(screen, dialog, partial(launch.pause, run.folder), "pausing", ("pause", run.folder))


def kill(screen: Screen[Any], run: RunChoice) -> None:
    """Have the name typed, then kill every process of the run; a queued one has none, and leaves the queue."""
    if refuses(screen, run, "kill"):
        return
    if run.status.state == "queued":
        _take_out(screen, run)
        return
    body = (
        f"Every process of {run.name} is ended at once. Nothing is saved: what came after its last checkpoint "
        "has to be trained again."
    )
    dialog = TypedConfirmDialog("Kill this run?", body, word=run.name)
    _ask(screen, dialog, partial(launch.kill, run.folder), "killed", ("kill", run.folder))


def resume(screen: Screen[Any], run: RunChoice, then: Callable[[], None]) -> None:
    """Start a run again from a checkpoint, or from its beginning when it has none; or queue it."""
    if refuses(screen, run, "resume"):
        return

    def chosen(checkpoint: str | None) -> None:
        if checkpoint is not None:
            _go_on(screen, run, checkpoint, then)

    choose_checkpoint(screen, run.folder, run.name, chosen)


def relaunch(screen: Screen[Any], run: RunChoice, then: Callable[[], None]) -> None:
    """Resume from the last checkpoint, or from the beginning when there is none, without asking which."""
    if not refuses(screen, run, "relaunch"):
        _go_on(screen, run, newest_checkpoint(run.folder), then)


def move_in_queue(screen: Screen[Any], run: RunChoice, where: Where, then: Callable[[], None]) -> None:
    """Give a queued run another place."""
    if not can_move(run, where):
        refuses(screen, run, "queue_move")
        return

    def move() -> None:
        from runs import queue

        queue.move(run.folder, where)

    act(screen, move, "", then)


def edit(screen: Screen[Any], run: RunChoice, then: Callable[[], None]) -> None:
    """Change name, tags, group and note."""
    if refuses(screen, run, "edit"):
        return

    def write(about: About | None) -> None:
        if about is not None and about != run.about:
            words = {name: getattr(about, name) for name in ("name", "tags", "note", "group")}
            act(screen, partial(run.folder.change_about, **words), "", then)

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
    body = f"{run.name} waits for its turn and does not run. Afterwards r or R starts it, or queues it again."
    dialog = ConfirmDialog("Take this run out of the queue?", body, confirm="Take out")
    said = f"{run.name} is out of the queue"
    _ask(screen, dialog, partial(launch.stop, run.folder), said, ("take_out", run.folder))


def _warning(question: str, verb: str, then: Consequence) -> ConfirmDialog:
    """A question whose first button is Cancel when work would be lost."""
    if then.loses_work:
        title = f"{question} WITHOUT a checkpoint?"
        return ConfirmDialog(title, then.body, confirm=f"{verb} anyway", danger=True)
    return ConfirmDialog(f"{question}?", then.body, confirm=verb)


def _is_gone(run: RunChoice) -> bool:
    """Somebody took its folder away while it is shown."""
    return run.status.reason == FOLDER_GONE


def _answers(status: RunStatus) -> bool:
    """Whether an engine is there, or comes, that takes requests."""
    return status.is_live and status.state not in (*_ENDING, "queued")


def _has_left(status: RunStatus) -> bool:
    """Whether the run has ended, and something of it has not."""
    return status.outcome is not None and bool(status.outcome.left)


def refuses(screen: Screen[Any], run: RunChoice, action: str) -> bool:
    """Say why that cannot be done to this run, when that is so."""
    if words := why_not(run, action):
        _complain(screen, words) if run.read_only else _say(screen, words)
    return bool(words)


def _ask(
    screen: Screen[Any],
    dialog: ConfirmDialog | TypedConfirmDialog,
    action: Callable[[], object],
    said: str,
    about: tuple[str, RunFolder],
) -> None:
    dialog.about = about

    def answered(is_sure: bool | None) -> None:
        if is_sure:
            act(screen, action, said)

    screen.app.push_screen(dialog, answered)


def _say(screen: Screen[Any], words: str) -> None:
    screen.notify(safe_text(words, 300), markup=False, timeout=4)


def _complain(screen: Screen[Any], words: str) -> None:
    screen.notify(safe_text(words, 500), severity="error", markup=False, timeout=10)
