"""How a run comes to its devices: at once when a person starts it, or by waiting for its turn in the queue."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec

from presets.schema import RunConfig
from runs import control
from runs.devices import Devices, GpuReadings, Pool, choose, claims, given, pool_for, waits_for
from runs.folder import RunFolder, write_atomically
from runs.lock import is_locked
from runs.machines import DEVICES_FILE, MachineDevices
from runs.processes import this_host, this_process
from runs.queue import in_order, place_sentence, put_off, revive
from runs.queue_entry import QueueEntry, leave, queue_lock, read_entry
from runs.readings import HardwareReading
from runs.status import State, StateRecord, latest_attempt
from runs.visible_gpus import may_have_gpus

POLL_S = 0.2
LOOK_S = 0.5
REVIVE_S = 3.0
PASSED_OVER_S = 60.0
"""A run whose supervisor nobody could start for that long does not hold up those behind it."""

_COST_SHARE = 0.01  # of one core, for looking through the folder of runs: among very many it looks less often,
_SELDOM_S = 60.0  # but not less than that
_FIRST_READING_AGE_S, _READING_AGE_S = 2.0, 30.0  # a reading costs a process, and strangers come and go slowly
_DIRECT_WAIT_S = 2.0


def has_begun(folder: RunFolder, entry: QueueEntry) -> bool:
    """Whether the engine of a waiting run was started after all, by a supervisor that was shot right afterwards.

    An attempt in which nothing has happened yet is taken away. Hold the run's lock. Raises OSError.
    """
    attempt = latest_attempt(folder)
    if attempt is None or attempt.number <= entry.after:
        return False
    if any(path.is_symlink() or (path.is_file() and path.stat().st_size) for path in attempt.path.rglob("*")):
        return True
    shutil.rmtree(attempt.path)
    return False


def take_at_once(folder: RunFolder, config: RunConfig) -> Devices:
    """Free devices for a run that starts now, or the first ones when too few are free: a person wanted it so.

    Two starts at once never choose the same free ones. Hold the run's lock. Blocks up to 3 s where there are GPUs.
    """

    def write_down(names: tuple[str, ...]) -> None:
        _write_state(folder, "starting", time.time(), devices=names)

    return _take(folder.path.parent, config, write_down, apart_from=folder)


def take_for_machine(folder: RunFolder, config: RunConfig, machine: Path) -> Devices:
    """As `take_at_once`, for the part of a run on a machine that joins, whose folder in `ranks/` is given."""

    def write_down(names: tuple[str, ...]) -> None:
        record = MachineDevices(this_process(), names)
        write_atomically(machine / DEVICES_FILE, msgspec.json.encode(record))

    return _take(folder.path.parent, config, write_down)


def _take(
    runs: Path,
    config: RunConfig,
    write_down: Callable[[tuple[str, ...]], None],
    apart_from: RunFolder | None = None,
) -> Devices:
    pool = pool_for(config, os.environ, GpuReadings().read(os.environ))
    names = pool.names[: pool.num_wanted]
    # a queue's lock that somebody keeps, or a full disk, is no reason not to start
    with contextlib.suppress(OSError), queue_lock(runs, _DIRECT_WAIT_S):
        free = choose(pool, claims(runs, apart_from=apart_from))
        names = names if free is None else free
        write_down(names)
    return given(pool, names, os.environ)


class Waiter:
    """Waits with one run for its turn; hold the run's lock.

    must_leave: whether this process was told to end; the run keeps its place then. log: takes a sentence.
    """

    def __init__(self, folder: RunFolder, must_leave: Callable[[], bool], log: Callable[[str], None]) -> None:
        self.folder = folder
        self._runs = folder.path.parent
        self._must_leave = must_leave
        self._log = log
        self._said = ""
        self._since = time.time()
        self._readings = GpuReadings()
        self._reading: HardwareReading | None = None
        self._reading_due = 0.0
        self._reading_age_s = _FIRST_READING_AGE_S
        self._absent: dict[str, float] = {}  # who is ahead without a supervisor, and since when

    def wait(self, config: RunConfig) -> Devices | None:
        """The run's devices, once it is its turn; None when it was taken out, or this process told to leave."""
        look_due = 0.0
        revive_due = time.monotonic() + REVIVE_S
        while not self._must_leave():
            entry = read_entry(self.folder)
            if entry is None:
                self._say("taken out of the queue", "stopped")
                return None
            self._since = entry.since
            began, used_s = time.monotonic(), time.thread_time()
            if began >= look_due:
                devices = self._look(config)
                if devices is not None:
                    return devices
                if began >= revive_due:
                    revive(self._runs, wait_s=0)
                    revive_due = time.monotonic() + REVIVE_S
                # its own work alone: waiting for a driver or a lock costs nobody anything
                used_s = time.thread_time() - used_s
                look_due = began + max(LOOK_S, min(used_s / _COST_SHARE, _SELDOM_S))
            time.sleep(POLL_S)
        return None

    def put_off(self, error: OSError) -> None:
        """The run could not be started: let the others go first, and try again after them."""
        self._log(f"{self.folder.id} could not be started, and goes to the end of the queue: {error}")
        with contextlib.suppress(OSError):
            put_off(self.folder)
        self._say(f"could not be started, and is tried again: {error}")
        time.sleep(LOOK_S)

    def _look(self, config: RunConfig) -> Devices | None:
        """Take the devices when it is this run's turn and enough are free; else say what it waits for."""
        try:
            endings = [request for request in control.pending(self.folder) if request.verb in ("stop", "kill")]
            if endings:  # `launch.stop` needs none, but a request is a request
                leave(self.folder)
                control.clear(self.folder)
                return None
            ahead = self._num_ahead()
            if ahead:
                self._say(place_sentence(ahead + 1))
                return None
            pool, is_judged = self._pool(config)
            with queue_lock(self._runs):
                if read_entry(self.folder) is None or self._num_ahead():
                    return None
                claimed = claims(self._runs, apart_from=self.folder)
                names = choose(pool, claimed)
                if names is None:
                    self._say(waits_for(pool, claimed))
                    return None
                if not is_judged:  # the run that stood in the way has just ended: ask the driver first
                    return None
                self._said = ""
                _write_state(self.folder, "starting", time.time(), devices=names)
            return given(pool, names, os.environ)
        except OSError as error:
            self._say(f"cannot go on for now: {error}")
            return None

    def _num_ahead(self) -> int:
        """How many go first. One whose supervisor nobody can start is passed over after a while."""
        now = time.monotonic()
        num_ahead = 0
        absent: dict[str, float] = {}
        for folder, _ in in_order(self._runs, this_host()):
            if folder == self.folder:
                break
            if not is_locked(folder):
                absent[folder.id] = self._absent.get(folder.id, now)
            num_ahead += now - absent.get(folder.id, now) < PASSED_OVER_S
        self._absent = absent
        return num_ahead

    def _pool(self, config: RunConfig) -> tuple[Pool, bool]:
        """The devices to choose from, and whether it is known what strangers have of them.

        The driver is asked only when no run of ours stands in the way.
        """
        pool = pool_for(config, os.environ, self._reading)
        if config.launch.device == "cpu" or not may_have_gpus(os.environ):
            return pool, True
        if self._reading is not None and choose(replace(pool, strangers=frozenset()), claims(self._runs)) is None:
            # what the reading says of the memory is of the runs that will have ended then
            self._reading_due, self._reading_age_s = 0.0, _FIRST_READING_AGE_S
            return replace(pool, strangers=frozenset()), False
        if time.monotonic() >= self._reading_due:
            self._reading = self._readings.read(os.environ)
            self._reading_due = time.monotonic() + self._reading_age_s
            self._reading_age_s = min(2 * self._reading_age_s, _READING_AGE_S)
            pool = pool_for(config, os.environ, self._reading)
        return pool, True

    def _say(self, message: str, state: State = "queued") -> None:
        """Write down what is waited for, when that has changed; on a full disk it is said at the next change."""
        if message == self._said:
            return
        self._said = message
        try:
            _write_state(self.folder, state, self._since, message)
        except OSError as error:
            self._log(f"state.json cannot be written: {error}")


def _write_state(
    folder: RunFolder, state: State, since: float, message: str = "", devices: tuple[str, ...] = ()
) -> None:
    latest = latest_attempt(folder)
    number = latest.number if latest else 0
    record = StateRecord(state, number, "", this_process(), since=since, message=message, devices=devices)
    write_atomically(folder.state_file, msgspec.json.format(msgspec.json.encode(record)))
