"""The queue: runs that wait for free devices, in an order that can be changed.

There is no daemon. A run waits by a place, `queue.json` in its folder, and by a supervisor of its own that holds
the run's lock and looks whether it is its turn (`runs.waiting`). Places change only under the queue's lock.
Whoever looks at the queue starts the supervisors anew that were killed, or did not outlive a reboot: `revive`.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from presets.config import ConfigError
from presets.known import known_file
from runs import control, launch
from runs.folder import RunFolder, all_runs
from runs.lock import RunBusy, hold, is_locked
from runs.ownership import ReadOnlyRun, require_startable, why_read_only
from runs.processes import this_host
from runs.queue_entry import QueueEntry as QueueEntry
from runs.queue_entry import kept_environment, leave, owner_of, queue_lock, read_entry, write_entry
from runs.queue_entry import withdraw as withdraw
from runs.queue_order import Where as Where
from runs.queue_order import behind
from runs.queue_order import in_order as in_order
from runs.queue_order import move as move
from runs.queue_order import put_off as put_off
from runs.spawn import LaunchFailed, log_size, refuse_logout, said, spawn_waiting
from runs.status import latest_attempt, read_status
from runs.trust import is_known, remember_run

_UP_S = 10.0
_MOST_AT_ONCE = 8  # supervisors that one look starts
_AGAIN_S, _AGAIN_MAX_S = 5.0, 60.0  # before a supervisor that did not come up is started once more
_MOST_TRIED_BYTES = 1 << 20
_POLL_S = 0.02
_IN_THE_QUEUE = " in the queue"
_NOT_REVIVED = (
    "does not begin by itself: this machine does not know its settings, or no longer; "
    "look at them and start it, or take it out of the queue"
)
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
        found.append(Waiting(folder, entry, place, _reason(folder, entry, place)))
    return tuple(found)


def place_sentence(place: int) -> str:
    """Such as "second in the queue"."""
    word = _ORDINALS[place] if place < len(_ORDINALS) else f"number {place}"
    return f"{word}{_IN_THE_QUEUE}"


def _reason(folder: RunFolder, entry: QueueEntry, place: int) -> str:
    """What its supervisor says, except a place that no longer holds, since others moved or began."""
    status = read_status(folder)
    is_ours_to_start = entry.host == this_host() and not why_read_only(folder)
    if status.state == "queued" and not status.supervised and is_ours_to_start and not _may_be_revived(folder):
        return _NOT_REVIVED
    says_more = status.state == "queued" and status.reason and not status.reason.endswith(_IN_THE_QUEUE)
    is_first = place == 1 or not status.supervised
    return status.reason if says_more and is_first else place_sentence(place)


def enqueue(folder: RunFolder, resume: str = "", num_processes: int = 0, despite_logout: bool = False) -> None:
    """Put a run at the end of the queue, and start the supervisor that waits with it; returns once that is up.

    resume, num_processes: as of `launch.start`. Whoever calls it has asked about unknown settings: from now on
    they are known, so that the run comes back after a reboot. Call it off the event loop: it may take 10 s.
    Raises RunBusy when the run is live or waits already, LaunchFailed with a sentence, ReadOnlyRun,
    LogoutWouldKill, ConfigError, OSError.
    """
    (entry,) = enter((folder,), resume, num_processes, despite_logout)
    try:
        attend(folder, entry)
    except OSError:
        with contextlib.suppress(OSError):
            withdraw(folder)
        raise


def enter(
    folders: Sequence[RunFolder], resume: str = "", num_processes: int = 0, despite_logout: bool = False
) -> tuple[QueueEntry, ...]:
    """Put runs of one folder at the end of the queue in this order, all or none, and start no supervisor.

    Whoever looks at the queue next starts those (`revive`), also when this process is gone; `attend` does so at
    once. Raises as `enqueue` does.
    """
    for folder in folders:
        require_startable(folder)
        launch.configured(folder, num_processes)
        launch.refuse_live(folder)
    refuse_logout(despite_logout)
    for folder in folders:
        _remember(folder)
    entries: list[QueueEntry] = []
    environment, since = kept_environment(os.environ), time.time()
    runs = folders[0].path.parent
    with queue_lock(runs):
        last = behind(in_order(runs))
        try:
            for number, folder in enumerate(folders):
                if read_entry(folder) is not None:
                    raise RunBusy(f"{folder.about().name} waits in the queue already")
                attempt = latest_attempt(folder)
                entry = QueueEntry(
                    order=last + number,
                    since=since,
                    host=this_host(),
                    resume=resume,
                    num_processes=num_processes,
                    owner=owner_of(folder),
                    after=attempt.number if attempt else 0,
                    environment=environment,
                )
                control.clear(folder)  # what is asked from now on is for this attempt
                write_entry(folder, entry)
                entries.append(entry)
        except (OSError, RunBusy):
            for folder in folders[: len(entries)]:
                with contextlib.suppress(OSError):
                    leave(folder)
            raise
    return tuple(entries)


def attend(folder: RunFolder, entry: QueueEntry) -> None:
    """Start the supervisor that waits with a run, unless somebody else has by now; returns once it is up.

    Raises LaunchFailed with what it said when it ended at once, and the run is out of the queue then; OSError.
    """
    if is_locked(folder) or read_entry(folder) is None:
        return
    said_before = log_size(folder)
    spawn_waiting(folder, entry).wait()
    # one that has said nothing by now is slow, or was shot; then it is revived
    if not _comes_up(folder) and (words := said(folder, said_before)) and withdraw(folder):
        raise LaunchFailed(words)


def _remember(folder: RunFolder) -> None:
    """Its settings are known from now on. Raises LaunchFailed when that cannot be noted."""
    remember_run(folder)
    if not is_known(folder.config_text()):
        raise LaunchFailed(
            f"{folder.about().name} cannot wait: its settings cannot be noted in {known_file()}, so that nothing "
            "would start it again after a reboot; make that file writable, or start the run at once"
        )


def revive(runs: Path, wait_s: float = _UP_S / 2) -> int:
    """Start the supervisors of waiting runs of this machine that have none; how many.

    One that does not come up is tried again later and later, up to a minute. Cheap when there is nothing to do,
    though where there is it may take `wait_s`, and what starting a process takes: call it off the event loop.
    Several callers at once are safe: one does it, and each run's lock lets one supervisor in. Raises nothing.
    """
    if not _unattended(runs):
        return 0
    try:
        descriptor = hold(runs / f".queue-revive-{os.geteuid()}.lock", wait_s=0)
    except OSError:
        return 0
    if descriptor is None:
        return 0  # somebody else is at it
    try:
        begun = _start_anew(_unattended(runs), descriptor)
    finally:
        os.close(descriptor)  # before any waiting: a caller that is suspended meanwhile must not keep others out
    for _, process in begun:
        process.wait()
    deadline = time.monotonic() + wait_s
    for folder, _ in begun:
        _comes_up(folder, deadline - time.monotonic())
    return len(begun)


class _Try(msgspec.Struct, frozen=True):
    """When a waiting run's supervisor was started anew, in Unix seconds, and how often in vain before."""

    time: float
    num_before: int


def _start_anew(
    lacking: list[tuple[RunFolder, QueueEntry]], descriptor: int
) -> list[tuple[RunFolder, subprocess.Popen[bytes]]]:
    """Start those that are due; descriptor: of the held lock, whose file says what was tried."""
    try:
        tried = msgspec.json.decode(os.pread(descriptor, _MOST_TRIED_BYTES, 0), type=dict[str, _Try])
    except (OSError, ValueError, msgspec.MsgspecError):
        tried = {}
    now = time.time()
    tries: dict[str, _Try] = {}
    begun: list[tuple[RunFolder, subprocess.Popen[bytes]]] = []
    for folder, entry in lacking:
        last = tried.get(entry.owner)
        if last is not None and _has_spoken_since(folder, last.time):
            last = None  # it came up, and was ended since
        pause_s = min(_AGAIN_S * 2.0 ** min(last.num_before, 10), _AGAIN_MAX_S) if last else 0.0
        if last is not None and last.time <= now < last.time + pause_s:
            tries[entry.owner] = last
            continue
        if len(begun) == _MOST_AT_ONCE:
            tries |= {entry.owner: last} if last is not None else {}
            continue  # the next look starts them: a sweep of a hundred must not take the machine
        tries[entry.owner] = _Try(now, last.num_before + 1 if last else 0)
        # what is wrong with one folder is no reason to forsake the others
        with contextlib.suppress(OSError, ValueError):
            begun.append((folder, spawn_waiting(folder, entry)))
    with contextlib.suppress(OSError):  # without room it is tried more often than need be
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, msgspec.json.encode(tries), 0)
    return begun


def _has_spoken_since(folder: RunFolder, since: float) -> bool:
    """Whether a supervisor has written the run's state since then: the first that it does with the lock."""
    try:
        return folder.state_file.stat(follow_symlinks=False).st_mtime >= since
    except OSError:
        return False


def _unattended(runs: Path) -> list[tuple[RunFolder, QueueEntry]]:
    entries = ((folder, read_entry(folder)) for folder in all_runs(runs))
    here = [(f, e) for f, e in entries if e is not None and e.host == this_host()]
    lacking = [(f, e) for f, e in here if not is_locked(f) and _may_be_revived(f)]
    return sorted(lacking, key=lambda pair: pair[1].order)


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
