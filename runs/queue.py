"""The queue: runs that wait for free devices, in an order that can be changed.

There is no daemon. A run waits by a place, `queue.json` in its folder, and by a supervisor of its own that holds
the run's lock and looks whether it is its turn (`runs.waiting`). Places change only under the queue's lock.
Whoever looks at the queue starts the supervisors anew that were killed, or did not outlive a reboot: `revive`.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import msgspec

from presets.config import ConfigError
from runs import control, launch
from runs.folder import RunFolder, all_runs
from runs.lock import RunBusy, hold, is_locked
from runs.ownership import ReadOnlyRun, require_ours, require_startable, why_read_only
from runs.processes import this_host
from runs.queue_entry import QueueEntry as QueueEntry
from runs.queue_entry import is_waiting, kept_environment, owner_of, queue_lock, read_entry, write_entry
from runs.queue_entry import withdraw as withdraw
from runs.spawn import LaunchFailed, log_size, refuse_logout, said, spawn_waiting
from runs.status import latest_attempt, read_status
from runs.trust import is_known

Where = Literal["up", "down", "first", "last"]

_REVIVE_FILE = ".queue-revive.lock"
_UP_S = 10.0
_POLL_S = 0.02
_IN_THE_QUEUE = " in the queue"
_ORDINALS = ("", "next", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


@dataclass(frozen=True)
class Waiting:
    """A run in the queue. place: 1 is next, among those that wait for the same machine. reason: a sentence."""

    folder: RunFolder
    entry: QueueEntry
    place: int
    reason: str


def waiting(runs: Path) -> tuple[Waiting, ...]:
    """The runs that wait, next first. Raises nothing."""
    places: dict[str, int] = {}
    found: list[Waiting] = []
    for folder, entry in in_order(runs):
        place = places[entry.host] = places.get(entry.host, 0) + 1
        found.append(Waiting(folder, entry, place, _reason(folder, place)))
    return tuple(found)


def in_order(runs: Path, host: str = "") -> tuple[tuple[RunFolder, QueueEntry], ...]:
    """The runs that wait with their entries, of that machine or of all, next first. Raises nothing."""
    entries = ((folder, read_entry(folder)) for folder in all_runs(runs))
    found = [(f, e) for f, e in entries if e is not None and host in ("", e.host) and is_waiting(f)]
    return tuple(sorted(found, key=lambda pair: (pair[1].order, pair[1].since, pair[0].id)))


def place_sentence(place: int) -> str:
    """Such as "second in the queue"."""
    word = _ORDINALS[place] if place < len(_ORDINALS) else f"number {place}"
    return f"{word}{_IN_THE_QUEUE}"


def _reason(folder: RunFolder, place: int) -> str:
    """What its supervisor says, except a place that no longer holds, since others moved or began."""
    status = read_status(folder)
    if status.state == "queued" and not status.supervised and not _may_be_revived(folder):
        return "does not begin by itself: its settings are not those that were queued; take it out of the queue"
    says_more = status.state == "queued" and status.reason and not status.reason.endswith(_IN_THE_QUEUE)
    is_first = place == 1 or not status.supervised
    return status.reason if says_more and is_first else place_sentence(place)


def enqueue(folder: RunFolder, resume: str = "", num_processes: int = 0, despite_logout: bool = False) -> None:
    """Put a run at the end of the queue, and start the supervisor that waits with it; returns once that is up.

    resume, num_processes: as of `launch.start`. Call it off the event loop, for it may take 10 s. Raises RunBusy
    when the run is live or waits already, ReadOnlyRun, LaunchFailed, LogoutWouldKill, ConfigError, OSError.
    """
    require_startable(folder)
    launch.configured(folder, num_processes)
    launch.refuse_live(folder)
    refuse_logout(despite_logout)
    runs = folder.path.parent
    attempt = latest_attempt(folder)
    with queue_lock(runs):
        if read_entry(folder) is not None:
            raise RunBusy(f"{folder.about().name} waits in the queue already")
        entry = QueueEntry(
            order=_behind(in_order(runs)),
            since=time.time(),
            host=this_host(),
            resume=resume,
            num_processes=num_processes,
            owner=owner_of(folder),
            after=attempt.number if attempt else 0,
            environment=kept_environment(os.environ),
        )
        control.clear(folder)  # what is asked from now on is for this attempt
        write_entry(folder, entry)
    said_before = log_size(folder)
    try:
        spawn_waiting(folder, entry).wait()
    except OSError:
        with contextlib.suppress(OSError):
            withdraw(folder)
        raise
    # one that has said nothing by now is slow, or was shot; then it is revived
    if not _comes_up(folder) and (words := said(folder, said_before)) and withdraw(folder):
        raise LaunchFailed(words)


def move(folder: RunFolder, where: Where) -> None:
    """Give a waiting run another place, among those that wait for the same machine.

    Raises ValueError with a sentence when it does not wait, ReadOnlyRun, OSError.
    """
    require_ours(folder)
    with queue_lock(folder.path.parent):
        entry = read_entry(folder)
        if entry is None or not is_waiting(folder):
            state = read_status(folder).state
            raise ValueError(f"{folder.about().name} does not wait in the queue; it is {state}")
        queue = [pair for pair in in_order(folder.path.parent, entry.host) if not why_read_only(pair[0])]
        index = [pair[0] for pair in queue].index(folder)
        target = {"up": index - 1, "down": index + 1, "first": 0, "last": len(queue) - 1}[where]
        queue.insert(max(0, min(target, len(queue) - 1)), queue.pop(index))
        _renumber(queue, folder)


def put_off(folder: RunFolder) -> None:
    """Give a run the last place, for it could not be started, and others may. Raises OSError."""
    with queue_lock(folder.path.parent):
        entry = read_entry(folder)
        if entry is not None:
            order = _behind(in_order(folder.path.parent))
            write_entry(folder, msgspec.structs.replace(entry, order=order))


def revive(runs: Path) -> int:
    """Start the supervisors of waiting runs of this machine that have none; how many.

    Cheap when there is nothing to do, though it may take 5 s where there is: call it off the event loop. Several
    callers at once are safe: one does it, and each run's lock lets one supervisor in. Raises nothing.
    """
    if not _unattended(runs):
        return 0
    try:
        descriptor = hold(runs / _REVIVE_FILE, wait_s=0)
    except OSError:
        return 0
    if descriptor is None:
        return 0  # somebody else is at it
    try:
        lacking = _unattended(runs)
        for process in [spawn_waiting(folder, entry) for folder, entry in lacking]:
            process.wait()
        deadline = time.monotonic() + _UP_S / 2
        for folder, _ in lacking:
            _comes_up(folder, deadline - time.monotonic())
        return len(lacking)
    except OSError:
        return 0
    finally:
        os.close(descriptor)


def _unattended(runs: Path) -> list[tuple[RunFolder, QueueEntry]]:
    entries = ((folder, read_entry(folder)) for folder in all_runs(runs))
    here = [(f, e) for f, e in entries if e is not None and e.host == this_host()]
    return [(f, e) for f, e in here if not is_locked(f) and _may_be_revived(f)]


def _may_be_revived(folder: RunFolder) -> bool:
    """Whether it is ours and a person here wanted it: what lies in a folder from elsewhere starts nothing."""
    try:
        require_startable(folder)
        return is_known(folder.config_text())
    except (OSError, ConfigError, ReadOnlyRun):
        return False


def _comes_up(folder: RunFolder, timeout_s: float = _UP_S) -> bool:
    """Wait for a waiting run's supervisor; it may have begun, or even be over, before anybody looks."""
    deadline = time.monotonic() + timeout_s
    while True:
        status = read_status(folder)
        if read_entry(folder) is None or (status.supervised and status.since):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)


def _behind(queue: tuple[tuple[RunFolder, QueueEntry], ...]) -> float:
    return max((entry.order for _, entry in queue), default=0.0) + 1.0


def _renumber(queue: list[tuple[RunFolder, QueueEntry]], moved: RunFolder) -> None:
    """Give the moved run an order between its neighbours; where none fits between them, all get new ones."""
    index = [pair[0] for pair in queue].index(moved)
    before = queue[index - 1][1].order if index else None
    after = queue[index + 1][1].order if index + 1 < len(queue) else None
    if before is None and after is None:
        return
    low = before if before is not None else (after or 0.0) - 2.0
    high = after if after is not None else low + 2.0
    orders = [entry.order for _, entry in queue]
    orders[index] = (low + high) / 2
    if any(a >= b for a, b in pairwise(orders)):
        orders = [float(number) for number in range(1, len(queue) + 1)]
    for (folder, entry), order in zip(queue, orders, strict=True):
        if entry.order != order:
            write_entry(folder, msgspec.structs.replace(entry, order=order))
