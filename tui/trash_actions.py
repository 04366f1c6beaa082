"""What a person does with deleted runs: look at them, bring one back, or delete them for good."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual.screen import Screen
from textual.worker import get_current_worker

from runs.disk import bytes_under
from runs.ownership import why_read_only
from runs.trash import Trashed, empty, half_purged, in_trash
from tui import bulk_actions
from tui.figures import num_bytes, plural
from tui.run_fields import short_age
from tui.safe_text import safe_text
from tui.screens.dialogs import TypedConfirmDialog
from tui.screens.pick_dialog import Choice
from tui.screens.trash_dialog import EMPTY, PURGE, TrashDialog

_MOST_SHOWN = 1000
_NAMED = 8
_WORD = "empty"
_NOTHING_BACK = "Nothing brings {it} back."

Gone = Callable[[frozenset[Path]], None]


@dataclass(frozen=True)
class Deleted:
    """A deleted run, to be shown. name: safe to show. read_only: why it is not ours, or empty."""

    trashed: Trashed
    name: str
    size: int
    read_only: str

    def choice(self) -> Choice:
        """Its line in the dialog."""
        label = f"⊘ {self.name}" if self.read_only else self.name
        age = short_age(time.time() - self.trashed.deleted)
        return Choice(
            self.trashed.id, label[:40], f"{num_bytes(self.size):>7}  deleted {age:<9} {self.trashed.id}"
        )


@dataclass(frozen=True)
class Trash:
    """What lies in the trash, the last deleted first. left: bytes that an interrupted emptying has left there."""

    runs: tuple[Deleted, ...]
    left: int

    @property
    def num_bytes(self) -> int:
        """Of all of it."""
        return sum(run.size for run in self.runs) + self.left


async def look_into(screen: Screen[Any], runs: Path, back: Gone, gone: Gone) -> None:
    """Show the deleted runs, and do what is chosen. back, gone: called with the folders that left the trash."""
    trash = await asyncio.to_thread(_read, runs)
    if not trash.runs and not trash.left:
        _say(screen, "The trash is empty; there is nothing to take back.")
        return
    if not trash.runs:
        await empty_all(screen, runs, gone)
        return
    shown = trash.runs[:_MOST_SHOWN]
    title = f"Deleted runs · {len(trash.runs):,} · {num_bytes(trash.num_bytes)}"
    title += f" · the newest {len(shown):,}" if len(shown) < len(trash.runs) else ""
    chosen = await screen.app.push_screen_wait(TrashDialog(title, tuple(run.choice() for run in shown)))
    if chosen is None:
        return
    if chosen == EMPTY:
        await _ask_and_empty(screen, runs, trash, gone)
        return
    run = next(run for run in shown if run.trashed.id == chosen.removeprefix(PURGE))
    if chosen.startswith(PURGE):
        await _ask_and_purge(screen, runs, run, gone)
        return
    path = run.trashed.path
    bulk_actions.bring_back(screen, ((path, run.name),), lambda: back(frozenset((path,))))


async def empty_all(screen: Screen[Any], runs: Path, gone: Gone) -> None:
    """Have a word typed, then delete for good whatever lies in the trash now, and is ours."""
    trash = await asyncio.to_thread(_read, runs)
    if trash.runs or trash.left:
        await _ask_and_empty(screen, runs, trash, gone)
    else:
        _say(screen, "The trash is empty.")


async def _ask_and_empty(screen: Screen[Any], runs: Path, trash: Trash, gone: Gone) -> None:
    ours = tuple(run for run in trash.runs if not run.read_only)
    num_others = len(trash.runs) - len(ours)
    size = num_bytes(sum(run.size for run in ours))
    parts = []
    if ours:
        are, it = ("is", "it") if len(ours) == 1 else ("are", "them")
        parts.append(
            f"{plural(len(ours), 'run')} ({size}), with curves and checkpoints, {are} deleted for good. "
            + _NOTHING_BACK.format(it=it)
        )
    if trash.left:
        parts.append(f"{num_bytes(trash.left)} that an interrupted emptying has left go too.")
    if num_others:
        parts.append(f"{plural(num_others, 'run')} of other users stay{'s' if num_others == 1 else ''}.")
    names = [run.name for run in ours[:_NAMED]]
    names += [f"and {len(ours) - _NAMED:,} more"] if len(ours) > _NAMED else []
    body = "\n".join((" ".join(parts), "", *names)).rstrip()
    if await screen.app.push_screen_wait(TypedConfirmDialog("Empty the trash?", body, _WORD)):
        _purge(screen, runs, ours, gone)


async def _ask_and_purge(screen: Screen[Any], runs: Path, run: Deleted, gone: Gone) -> None:
    if run.read_only:
        screen.notify(safe_text(f"{run.read_only}.", 500), severity="error", markup=False, timeout=10)
        return
    body = (
        f"All of {run.name} ({num_bytes(run.size)}), with curves and checkpoints, is deleted for good. "
        + _NOTHING_BACK.format(it="it")
    )
    dialog = TypedConfirmDialog("Delete this run for good?", body, word=run.name)
    if await screen.app.push_screen_wait(dialog):
        _purge(screen, runs, (run,), gone)


def _purge(screen: Screen[Any], runs: Path, chosen: tuple[Deleted, ...], gone: Gone) -> None:
    """In a thread; when the dashboard ends meanwhile, the runs that it has not come to stay as they are."""

    def work() -> None:
        worker = get_current_worker()
        emptied = empty(runs, (run.trashed for run in chosen), lambda: not worker.is_cancelled)
        if worker.is_cancelled:
            return  # nobody is there to be told
        who = f"{chosen[0].name} is" if len(chosen) == 1 else f"{plural(emptied.num_runs, 'run')} are"
        freed = f"{num_bytes(emptied.num_bytes)} freed"
        done = f"{who} gone for good, {freed}" if emptied.num_runs else freed if emptied.num_bytes else ""
        left = frozenset(run.trashed.path for run in chosen if not run.trashed.path.exists())
        screen.app.call_from_thread(bulk_actions.tell, screen, done, list(emptied.problems))
        screen.app.call_from_thread(gone, left)

    screen.run_worker(work, thread=True, exit_on_error=True)


def _read(runs: Path) -> Trash:
    """What lies in the trash, with its sizes: looks at every file there."""
    found = tuple(
        Deleted(one, safe_text(one.folder.about().name, 60), one.num_bytes(), why_read_only(one.folder))
        for one in in_trash(runs)
    )
    return Trash(found, sum(bytes_under(path) for path in half_purged(runs)))


def _say(screen: Screen[Any], words: str) -> None:
    screen.notify(safe_text(words, 200), markup=False, timeout=4)
