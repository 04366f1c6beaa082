"""Promise 3: training outlives the terminal, the dashboard and its supervisor."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import pty
import random
import select
import signal
import statistics
import struct
import sys
import termios
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from presets.fields import Value
from runs import launch
from runs.folder import RunFolder, all_runs
from runs.reader import RunReader
from runs.status import read_outcome, read_status
from tests.faults.fault_runs import FaultRuns, begun, goes_on, tiny_endless_run, wait_for
from tests.faults.figures import Figure, Scale

REATTACH_S = 1.0
_AT_ONCE = 3
_NUMBERS = {"quick": (1, 3, 2), "long": (40, 100, 50)}
"""Runs whose launching terminal drops, dashboards that are killed or dropped, supervisors that are killed."""

IN_THE_TERMINALS_SESSION = """
import signal, subprocess
real = subprocess.Popen.__init__

def same_session(self, *arguments, **options):
    real(self, *arguments, **{**options, "start_new_session": False})

subprocess.Popen.__init__ = same_session
real_signal = signal.signal
signal.signal = lambda number, handler: None if number == signal.SIGHUP else real_signal(number, handler)
"""

ENGINE_TIED_TO_ITS_PARENT = """
import ctypes, sys
if "engine" in sys.orig_argv:
    ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
"""


class Terminal:
    """A program of ours in a pty; `drop` is what a lost SSH connection does to it."""

    def __init__(self, runs: FaultRuns, *arguments: str, **environment: str) -> None:
        self.screen = b""
        own = runs.environment | {"TERM": "xterm-256color"} | environment
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.execve(sys.executable, [sys.executable, "-m", "tui", *arguments], own)
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """It goes, if not by what was done to it, then by SIGKILL."""
        self.drop()
        deadline = time.monotonic() + 10
        while os.waitpid(self.pid, os.WNOHANG) == (0, 0):
            if time.monotonic() > deadline:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGKILL)
            time.sleep(0.01)

    def shows(self, text: bytes) -> bool:
        """Whether it has written that."""
        with contextlib.suppress(OSError):  # as a pty says that nobody is there any more
            while select.select([self.descriptor], [], [], 0)[0]:
                self.screen += os.read(self.descriptor, 1 << 16)
        return text in self.screen

    def drop(self) -> None:
        """The other end is gone: the kernel sends SIGHUP to what is in the foreground."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


@dataclass
class Tally:
    """What became of the runs, and how long it took to see them again."""

    tried: int = 0
    died: int = 0
    attached_s: list[float] = field(default_factory=list)
    painted_s: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self, folder: RunFolder, engine: int, then_stop: bool) -> None:
        """After a disturbance: is the same engine at work, does it heed a stop, how soon is it seen anew?"""
        is_alive = goes_on(folder, engine)
        self._attach(folder)
        if then_stop and read_status(folder).is_live:
            is_alive = _stops(folder) and is_alive
        with self.lock:
            self.tried += 1
            self.died += not is_alive

    def _attach(self, folder: RunFolder) -> None:
        started = time.monotonic()
        snapshot = RunReader(folder).poll()
        if snapshot.status.state == "running" and snapshot.series:
            self.attached_s.append(time.monotonic() - started)

    def figure(self, what: str, is_control: bool = False) -> Figure:
        """The line of the report."""
        return Figure(3, what, self.tried, self.died, is_control)


def measure_survival(folder: Path, scale: Scale) -> list[Figure]:
    """Terminals that drop, dashboards and supervisors that are killed; and two builds that do not survive it."""
    num_drops, num_dashboards, num_supervisors = _NUMBERS[scale]
    with FaultRuns(folder / "ours") as runs:
        drops = _drop_launchers(runs, num_drops)
        dashboards = _end_dashboards(runs, num_dashboards)
        supervisors = _kill_supervisors(runs, num_supervisors)
    real = []
    if scale == "long":
        with FaultRuns(folder / "real", fake=False) as runs:
            real.append(("one rank", _kill_supervisors(runs, 3, 1, **tiny_endless_run())))
            real.append(("two ranks", _kill_supervisors(runs, 2, 1, processes=2, **tiny_endless_run())))
    with FaultRuns(folder / "session", broken=IN_THE_TERMINALS_SESSION) as runs:
        same_session = _drop_launchers(runs, 1)
    with FaultRuns(folder / "tied", broken=ENGINE_TIED_TO_ITS_PARENT) as runs:
        tied = _kill_supervisors(runs, 1)
    attached = [*drops.attached_s, *dashboards.attached_s, *supervisors.attached_s]
    tried = drops.tried + dashboards.tried + supervisors.tried
    slow = tried - sum(seconds < REATTACH_S for seconds in attached)
    typical_s, longest_s = statistics.median(attached or [0]), max(attached, default=0)
    detail = f"median {typical_s * 1000:.0f} ms, longest {longest_s * 1000:.0f} ms"
    detail += f"; a new dashboard paints it after {statistics.median(dashboards.painted_s):.1f} s (median)"
    return [
        drops.figure("terminals that launched a run and drop: runs that died"),
        dashboards.figure("dashboards killed (-9), hung up or dropped: runs that died"),
        supervisors.figure("supervisors killed (-9): runs that died, or heeded no stop"),
        *(tally.figure(f"supervisors of the real engine killed (-9), {ranks}") for ranks, tally in real),
        Figure(3, f"seen again by a new reader: not within {REATTACH_S:.0f} s", tried, slow, detail=detail),
        same_session.figure("runs in the session of the terminal", is_control=True),
        tied.figure("engines that end with their parent", is_control=True),
    ]


def _drop_launchers(runs: FaultRuns, number: int) -> Tally:
    """`train` in a terminal that goes away while it follows the run."""
    tally = Tally()
    for _ in range(number):
        num_before = len(all_runs(runs.runs))
        with Terminal(runs, "train", "quickstart", "--name", f"drop-{num_before}") as terminal:
            folder = wait_for(functools.partial(_named, runs, f"drop-{num_before}"), "the run is made")
            engine = begun(folder)
            wait_for(lambda: terminal.shows(b"step 5"), "the terminal follows it")
            terminal.drop()
        tally.look(folder, engine, then_stop=True)
    return tally


def _named(runs: FaultRuns, name: str) -> RunFolder | None:
    return next((folder for folder in all_runs(runs.runs) if folder.about().name == name), None)


def _end_dashboards(runs: FaultRuns, number: int) -> Tally:
    """Dashboards, some at once, on one run; each is ended at a random moment after it has painted the run."""
    rng = random.Random(3)
    folder = runs.make()
    runs.start(folder)
    engine = begun(folder)
    tally = Tally()
    name = folder.about().name.encode()

    def end(how: int, after_s: float) -> None:
        started = time.monotonic()
        with Terminal(runs) as terminal:
            wait_for(lambda: terminal.shows(name), "the dashboard shows the run")
            tally.painted_s.append(time.monotonic() - started)
            time.sleep(after_s)
            terminal.shows(b"")
            if how == 0:
                os.kill(terminal.pid, signal.SIGKILL)
            elif how == 1:
                os.kill(terminal.pid, signal.SIGHUP)
            else:
                terminal.drop()

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        ended = [pool.submit(end, index % 3, rng.uniform(0, 0.5)) for index in range(number)]
        for future in ended:
            future.result()
            tally.look(folder, engine, then_stop=False)
    assert [attempt.number for attempt in folder.attempts()] == [1]
    assert _stops(folder), "the run that was watched did not stop as asked"
    return tally


def _kill_supervisors(runs: FaultRuns, number: int, at_once: int = _AT_ONCE, **values: Value) -> Tally:
    """The engine goes on alone, and still heeds a stop. values: fields of the runs."""
    rng = random.Random(4)
    tally = Tally()

    def kill(after_s: float) -> None:
        folder = runs.make(**values)
        supervisor = runs.start(folder)
        engine = begun(folder)
        time.sleep(after_s)
        os.kill(supervisor.pid, signal.SIGKILL)
        supervisor.wait()
        tally.look(folder, engine, then_stop=True)

    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(kill, [rng.uniform(0, 0.5) for _ in range(number)]))
    return tally


def _stops(folder: RunFolder) -> bool:
    """Ask it to stop, and whether it ended by its own word."""
    try:
        launch.stop(folder)
    except ValueError:  # it died after somebody looked
        return False
    wait_for(lambda: not read_status(folder).is_live, "it stops")
    outcome = read_outcome(folder.attempts()[-1])
    return outcome is not None and outcome.state == "stopped" and outcome.exit_code == 0
