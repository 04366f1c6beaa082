"""What is done to several runs at once: ask once, do it run by run in a thread, say what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from textual.screen import Screen

from runs import launch
from runs.folder import RunFolder
from runs.trash import undelete_run
from tui.run_actions import RunChoice, offers
from tui.safe_text import safe_text
from tui.screens.dialogs import ConfirmDialog
from tui.screens.start_questions import StartWay
from tui.stop_words import has_no_room

_NAMED = 8


def counted(runs: tuple[RunChoice, ...]) -> str:
    """`warm-otter`, or `3 runs`."""
    return runs[0].name if len(runs) == 1 else _num_runs(len(runs))


def do_to_all(
    screen: Screen[Any],
    runs: tuple[RunChoice, ...],
    done: str,
    action: Callable[[RunFolder], object],
    then: Callable[[], None],
) -> None:
    """Do it in a thread. done: such as "in the trash"; what goes wrong with some is said, the others are done."""

    def work() -> None:
        problems: list[str] = []
        for run in runs:
            try:
                action(run.folder)
            except (OSError, ValueError, RuntimeError) as error:
                problems.append(f"{run.name}: {error}")
        num_done = len(runs) - len(problems)
        screen.app.call_from_thread(_report, screen, runs, num_done, done, problems)
        screen.app.call_from_thread(then)

    screen.run_worker(work, thread=True, exit_on_error=True)


def ask_and_do(
    screen: Screen[Any],
    runs: tuple[RunChoice, ...],
    verb: str,
    body: str,
    done: str,
    action: Callable[[RunFolder], object],
    then: Callable[[], None],
    *,
    confirm: str = "",
    danger: bool = False,
) -> None:
    """Ask once for all, then do it. verb: such as "Delete". confirm: on the button, when that says more."""

    def answered(is_sure: bool | None) -> None:
        if is_sure:
            do_to_all(screen, runs, done, action, then)

    lines = [run.name for run in runs[:_NAMED]]
    lines += [f"and {len(runs) - _NAMED:,} more"] if len(runs) > _NAMED else []
    title = f"{verb} {counted(runs)}?"
    text = "\n".join((body, "", *lines))
    screen.app.push_screen(ConfirmDialog(title, text, confirm or verb, danger), answered)


def stop_all(screen: Screen[Any], runs: tuple[RunChoice, ...], then: Callable[[], None]) -> None:
    """Stop the live ones, each with a checkpoint, and take those that wait out of the queue."""
    live = tuple(run for run in runs if offers(run, "stop"))
    if not live:
        screen.notify("None of the marked runs is live; there is nothing to stop.", markup=False, timeout=4)
        return
    full = [run.name for run in live if run.status.state != "queued" and has_no_room(run.folder)]
    body = "Each saves a checkpoint at its next step and ends; those that wait leave the queue."
    if full:
        who = full[0] if len(full) == 1 else f"{full[0]} and {len(full) - 1} more"
        body += f"\n\nThe disk is full: {who} can save NO checkpoint; what came after the last is lost."
    verb = "Stop anyway" if full else "Stop"
    ask_and_do(screen, live, "Stop", body, "stopping", launch.stop, then, confirm=verb, danger=bool(full))


def queue_all(screen: Screen[Any], runs: tuple[RunChoice, ...], then: Callable[[], None]) -> None:
    """Let all that are not live go on in turn, each from its last checkpoint or its beginning."""

    async def work() -> None:
        from tui.screens.resume_choice import newest_checkpoint
        from tui.screens.start_questions import begin, is_trusted_run, way_to_start

        idle = tuple(run for run in runs if offers(run, "resume"))
        if not idle:
            screen.notify("All marked runs are live, or not ours; none can be queued.", markup=False, timeout=4)
            return
        problems: list[str] = []
        wanted: list[RunChoice] = []
        config = None  # of one of them, for the questions before a start
        for run in idle:
            try:
                if await is_trusted_run(screen.app, run.folder):
                    config = await asyncio.to_thread(run.folder.config)
                    wanted.append(run)
            except (OSError, ValueError) as error:
                problems.append(f"{run.name}: {error}")
        way = await way_to_start(screen.app, config, idle[0].folder.path.parent, to_queue=True) if config else None
        num_done = 0
        for run in wanted if way is not None else ():
            try:
                checkpoint = await asyncio.to_thread(newest_checkpoint, run.folder)
                await begin(run.folder, way or StartWay(True), checkpoint)
                num_done += 1
            except (OSError, ValueError, RuntimeError) as error:
                problems.append(f"{run.name}: {error}")
        _report(screen, idle, num_done, "in the queue", problems)
        then()

    screen.run_worker(work(), group="start", exit_on_error=True)


def change_all(
    screen: Screen[Any], runs: tuple[RunChoice, ...], done: str, then: Callable[[], None], **changes: bool
) -> None:
    """Pin, archive, or the reverse."""
    ours = tuple(run for run in runs if offers(run, "edit"))
    if not ours:
        screen.notify("None of these runs is ours to change.", severity="error", markup=False, timeout=5)
        return
    do_to_all(screen, ours, done, partial(_change, changes=changes), then)


def tag_all(screen: Screen[Any], runs: tuple[RunChoice, ...], words: str, then: Callable[[], None]) -> None:
    """Add the tags; take off those with a - before them."""
    added, removed = tags_of(words)
    if added or removed:
        do_to_all(screen, runs, "tagged", lambda folder: _tag(folder, added, removed), then)


def tags_of(words: str) -> tuple[tuple[str, ...], frozenset[str]]:
    """The tags to add, and those to take off: `keep -draft`."""
    parts = words.replace(",", " ").replace("#", " ").split()
    added = tuple(dict.fromkeys(part.removeprefix("+") for part in parts if not part.startswith("-")))
    return tuple(part for part in added if part), frozenset(part[1:] for part in parts if part.startswith("-"))


def bring_back(screen: Screen[Any], trashed: tuple[tuple[Path, str], ...], then: Callable[[], None]) -> None:
    """Take runs out of the trash, in a thread. trashed: where each is, and its name, safe to show."""

    def work() -> None:
        problems: list[str] = []
        for path, name in trashed:
            try:
                undelete_run(path)
            except (OSError, ValueError, RuntimeError) as error:
                problems.append(f"{name}: {error}")
        num_done, what = len(trashed) - len(problems), _num_runs(len(trashed))
        is_are = "is" if len(trashed) == 1 else "are"
        done = f"{trashed[0][1] if len(trashed) == 1 else what} {is_are} back"
        if problems and num_done:
            done = f"{num_done:,} of {what} are back"
        screen.app.call_from_thread(tell, screen, done if num_done else "", problems)
        screen.app.call_from_thread(then)

    screen.run_worker(work, thread=True, exit_on_error=True)


def _num_runs(num: int) -> str:
    return f"{num:,} run{'' if num == 1 else 's'}"


def _change(folder: RunFolder, changes: dict[str, bool]) -> None:
    folder.change_about(**changes)


def _tag(folder: RunFolder, added: tuple[str, ...], removed: frozenset[str]) -> None:
    kept = (tag for tag in (*folder.about().tags, *added) if tag not in removed)
    folder.change_about(tags=tuple(dict.fromkeys(kept)))


def _report(
    screen: Screen[Any], runs: tuple[RunChoice, ...], num_done: int, done: str, problems: list[str]
) -> None:
    what = counted(runs) if num_done == len(runs) else f"{num_done:,} of {_num_runs(len(runs))}"
    tell(screen, f"{what}: {done}" if num_done else "", problems)


def tell(screen: Screen[Any], words: str, problems: list[str]) -> None:
    """Say what was done, if anything was, and the first of what went wrong."""
    if words:
        screen.notify(safe_text(words, 200), markup=False, timeout=4)
    if problems:
        more = f" (and {len(problems) - 1:,} more)" if len(problems) > 1 else ""
        wrong = safe_text(f"{problems[0]}{more}", 500)
        screen.notify(wrong, severity="error", markup=False, timeout=10)
