"""Watches over one attempt of a run: starts its processes, walks the stop ladder, says what became of it.

`python -m runs.supervisor <run folder> [--resume NAME]`, in a session of its own. Exit status: 0 the run
finished, stopped or paused, 1 it failed, 2 nothing was started.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from presets.config import ConfigError
from presets.schema import RunConfig
from runs import control
from runs.attempt_watch import Supervisor, log
from runs.devices import Devices
from runs.folder import Attempt, RunFolder
from runs.launch import configured
from runs.lock import take_lock
from runs.outcome import Ending, conclude, settle
from runs.processes import become_subreaper
from runs.queue import revive
from runs.queue_entry import QueueEntry, leave, read_entry
from runs.status import engine_processes, latest_attempt, read_state
from runs.waiting import Waiter, has_begun, take_at_once
from runs.webhook import Teller


def main(arguments: list[str] | None = None) -> int:
    """Run one attempt of a run; see the module's text."""
    parser = argparse.ArgumentParser(prog="python -m runs.supervisor", description=__doc__)
    parser.add_argument("run", type=Path, help="the run's folder")
    parser.add_argument("--resume", default="", metavar="NAME", help="checkpoint to continue from")
    parser.add_argument("--processes", type=int, default=0, metavar="N", help="other than configured")
    parser.add_argument(
        "--queue", action="store_true", help="wait for devices first, as nobody's child; queue.json says the rest"
    )
    options = parser.parse_args(arguments)
    if options.queue:
        if os.fork():
            return 0
        os.setsid()
    os.umask(0o077)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    told: list[int] = []  # signals to end, before there is anything to stop
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: told.append(number))
    folder = RunFolder(options.run.resolve())
    lock: int | None = None
    entry: QueueEntry | None = None
    try:
        lock = take_lock(folder)
        entry = read_entry(folder) if options.queue else None
        refusal = _refusal(folder, lock, entry, options.queue)
        if refusal:
            log(refusal)
            return 2
        config = configured(folder, entry.num_processes if entry else options.processes)
        start = _start_of(folder, config, entry, lambda: bool(told))
    except (OSError, ConfigError) as error:
        log(f"{folder.id} cannot be started: {error}")
        if entry is not None and lock is not None:
            _fail(folder, f"it cannot be started: {error}")
        return 2
    if start is None:
        return 0  # taken out of the queue, or told to leave it to another supervisor
    attempt, devices = start
    become_subreaper()
    supervisor = Supervisor(folder, config, attempt, entry.resume if entry else options.resume, devices)

    def on_signal(number: int, frame: FrameType | None) -> None:
        told.append(number)
        supervisor.must_stop = True

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    supervisor.must_stop = bool(told)  # only now: whatever comes later is its own
    outcome = supervisor.run()
    became = f"{outcome.state}: {outcome.reason}" if outcome else "told to end before its outcome could be written"
    log(f"{folder.id}, attempt {attempt.number}: {became}")
    with contextlib.suppress(OSError):
        leave(folder)
    if lock is not None:
        os.close(lock)
    if not told:  # which is how a machine that shuts down says so
        revive(folder.path.parent)
    _finish_telling(supervisor.teller, attempt)  # last of all: nobody waits for it
    return 1 if outcome is None or outcome.state == "failed" else 0


def _refusal(folder: RunFolder, lock: int | None, entry: QueueEntry | None, is_queued: bool) -> str:
    """Why nothing may be started, as a sentence, or empty."""
    if lock is None:
        return f"{folder.id} already has a supervisor at work"
    orphans = engine_processes(folder, read_state(folder))
    if orphans:
        if entry is not None:
            leave(folder)  # what it waited for has begun: its supervisor was shot right afterwards
        return f"processes of {folder.id} are still alive: pid {', '.join(str(o.pid) for o in orphans)}"
    if is_queued and (entry is None or has_begun(folder, entry)):
        leave(folder)
        return f"{folder.id} does not wait in the queue"
    return ""


def _start_of(
    folder: RunFolder, config: RunConfig, entry: QueueEntry | None, must_leave: Callable[[], bool]
) -> tuple[Attempt, Devices] | None:
    """The attempt and its devices, now or when its turn comes; None when it is not to start. Raises OSError."""
    if entry is None:
        attempt = new_attempt(folder)
        control.clear(folder)
        return attempt, take_at_once(folder, config)
    waiter = Waiter(folder, must_leave, log)
    while (devices := waiter.wait(config)) is not None and not must_leave():
        try:
            return new_attempt(folder), devices
        except OSError as error:
            waiter.put_off(error)
    return None


def _fail(folder: RunFolder, failure: str) -> None:
    """Let a waiting run that cannot be started be failed rather than stand in others' way."""
    with contextlib.suppress(OSError):
        attempt, teller = new_attempt(folder), Teller(folder, log)
        teller.ended(conclude(folder, attempt, Ending(None, failure=failure)), was_asked=False)
        _finish_telling(teller, attempt)
    with contextlib.suppress(OSError):
        leave(folder)


def _finish_telling(teller: Teller, attempt: Attempt) -> None:
    """Wait for the webhook; where it could not be told, the log that people look at says so, once."""
    teller.finish()
    if teller.failure:
        with contextlib.suppress(OSError), attempt.console_file.open("ab") as console:
            console.write(f"the webhook could not be told how this run ended: {teller.failure}\n".encode())


def new_attempt(folder: RunFolder) -> Attempt:
    """Make the folder of the next attempt. Raises OSError."""
    latest = latest_attempt(folder)
    if latest is not None:
        settle(folder, latest)
    attempt = folder.attempt(latest.number + 1 if latest else 1)
    attempt.path.parent.mkdir(exist_ok=True, mode=0o700)
    attempt.path.mkdir(mode=0o700)
    attempt.ranks_dir.mkdir(mode=0o700)
    return attempt


if __name__ == "__main__":
    raise SystemExit(main())
